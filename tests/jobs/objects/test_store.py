"""One suite for every store, and what is peculiar to each."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from canvas.errors import Invalid
from jobs.errors import StorageFailed
from jobs.objects import store
from jobs.objects.store import Objects, open_objects
from tests.jobs.images.test_memory import peak_bytes
from tests.jobs.objects.conftest import Opened

pytestmark = pytest.mark.anyio

KEY = "originals/ada/0123-4567.png"
LARGEST_BYTES = 50 << 20  # EASEL_MAX_UPLOAD_BYTES
SIGNING = ["moto", "rclone"]


async def read(objects: Objects, key: str, start: int = 0, end: int | None = None) -> bytes | None:
    chunks = await objects.open(key, start, end)
    return None if chunks is None else b"".join([chunk async for chunk in chunks])


async def test_what_was_put_is_read_back_whole_or_in_part(objects: Objects) -> None:
    """OB1: also from a store that answers a range with the whole."""
    content = bytes(range(256)) * 4096

    await objects.put(KEY, content, "image/png")

    assert await read(objects, KEY) == content
    assert await read(objects, KEY, 10, 20) == content[10:20]
    assert await read(objects, KEY, 300_000, 900_000) == content[300_000:900_000]
    assert await read(objects, KEY, 1_048_570) == content[-6:]
    assert await objects.size(KEY) == len(content)
    modified_at = await objects.modified_at(KEY)
    assert modified_at is not None
    assert abs(datetime.now(UTC) - modified_at) < timedelta(minutes=1)


async def test_putting_again_changes_nothing(objects: Objects) -> None:
    """JB16"""
    await objects.put(KEY, b"a", "image/png")
    await objects.put(KEY, b"a", "image/png")

    assert await read(objects, KEY) == b"a"


async def test_what_is_not_there_is_none_and_may_be_deleted(objects: Objects) -> None:
    """OB1"""
    await objects.put(KEY, b"a", "image/png")

    await objects.delete(KEY)
    await objects.delete(KEY)

    assert await read(objects, KEY) is None
    assert await read(objects, KEY, 1, 2) is None
    assert await objects.size(KEY) is None
    assert await objects.modified_at(KEY) is None


async def test_all_are_listed_in_the_order_of_their_keys(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """OB1"""
    monkeypatch.setattr(store, "LISTED_AT_ONCE", 2)
    keys = ["display/a/1.png", "icons/b/2.png", "icons/b-c/1.png", "originals/a/1.png", "originals/a/10.png", "x"]
    for key in reversed(keys):
        await objects.put(key, b"a", "image/png")

    pages = [page async for page in objects.pages()]

    assert [one.key for page in pages for one in page] == sorted(keys)
    assert all(page for page in pages)


async def test_nothing_is_listed_of_an_empty_store(objects: Objects) -> None:
    """OB1"""
    assert [page async for page in objects.pages() if page] == []


async def pieces(size: int, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, size, 1 << 16):
        yield bytes(min(1 << 16, size - start))
    if then is not None:
        raise then


def peak_from_now() -> int:
    """Forgets what was held before."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes(os.getpid())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_largest_upload_is_never_held_in_memory(objects: Objects) -> None:
    """OB1: two parts of it at a time at most."""
    await objects.take_in("uploads/ada/small", pieces(1 << 16))
    before_bytes = peak_from_now()

    await objects.take_in("uploads/ada/large", pieces(LARGEST_BYTES))

    assert await objects.size("uploads/ada/large") == LARGEST_BYTES
    assert peak_bytes(os.getpid()) - before_bytes < LARGEST_BYTES / 2


async def test_upload_that_breaks_off_is_not_there(objects: Objects) -> None:
    """OB1"""
    with pytest.raises(EOFError):
        await objects.take_in("uploads/ada/half", pieces(11 << 20, then=EOFError()))

    assert await objects.size("uploads/ada/half") is None


@pytest.mark.parametrize("kind", SIGNING)
async def test_bytes_come_and_go_at_signed_addresses(opened: Opened, kind: str) -> None:
    """OB2"""
    objects, content = opened(kind), b"x" * 100_000
    put, get = [await objects.sign(method, KEY, timedelta(minutes=1)) for method in ("PUT", "GET")]

    async with httpx.AsyncClient(trust_env=False) as anybody:
        assert (await anybody.put(put, content=content, headers={"Content-Type": "image/png"})).status_code == 200
        assert (await anybody.get(get)).content == content
        assert (await anybody.get(get.partition("?")[0])).status_code in {400, 403}

    beginning = await objects.signed_beginning()
    assert beginning is not None
    assert put.partition("?")[0] == beginning + KEY
    assert await read(objects, KEY) == content


async def test_address_that_was_tampered_with_or_has_ended_is_refused(opened: Opened) -> None:
    """OB2: by the store, which here looks."""
    objects = opened("rclone")
    await objects.put(KEY, b"a", "image/png")
    put, get = [await objects.sign(method, KEY, timedelta(minutes=1)) for method in ("PUT", "GET")]
    ended = await objects.sign("GET", KEY, timedelta(0))
    other = KEY.replace("4567", "4568")
    last = "0" if not put.endswith("0") else "1"

    async with httpx.AsyncClient(trust_env=False) as anybody:
        refused = [
            await anybody.put(put.replace(KEY, other), content=b"b"),
            await anybody.put(put[:-1] + last, content=b"b"),
            await anybody.put(put.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), content=b"b"),
            await anybody.put(get, content=b"b"),
            await anybody.delete(put),
            await anybody.get(ended),
        ]

    assert [answer.status_code in {400, 403} for answer in refused] == [True] * 6
    assert await read(objects, KEY) == b"a"
    assert await objects.size(other) is None


async def test_folder_signs_nothing(opened: Opened) -> None:
    """AW2"""
    assert not opened("folder").signs
    assert await opened("folder").signed_beginning() is None


async def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    open_objects(f"file://{tmp_path}/a/objects")

    assert stat.S_IMODE((tmp_path / "a" / "objects").stat().st_mode) == 0o700


async def test_what_a_crash_cut_off_in_a_folder_is_seen(tmp_path: Path) -> None:
    """OB1"""
    objects = open_objects(str(tmp_path))
    await objects.put(KEY, b"a", "image/png")
    (tmp_path / f"{KEY}#1").write_bytes(b"hal")

    listed = [one.key async for page in objects.pages() for one in page]

    assert listed == [KEY, f"{KEY}#1"]
    assert await objects.modified_at(f"{KEY}#1") is not None
    await objects.delete(f"{KEY}#1")
    assert await objects.modified_at(f"{KEY}#1") is None


async def test_a_store_that_fails_says_so(tmp_path: Path) -> None:
    """JB17"""
    objects = open_objects(str(tmp_path / "objects"))
    await objects.check()
    (tmp_path / "objects" / "originals").write_bytes(b"a file where a folder must be")

    with pytest.raises(StorageFailed, match="EASEL_STORAGE_URL"):
        await objects.put(KEY, b"a", "image/png")


async def test_s3_that_is_away_is_a_storage_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """JB17"""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    objects = open_objects("s3://pictures/folder?endpoint=http://127.0.0.1:9&region=eu-central-1")

    with pytest.raises(StorageFailed):
        await objects.check()


AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "ada", "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0"}


@pytest.mark.parametrize(
    ("url", "settings", "says"),
    [
        ("ftp://x", {}, "use a folder, file://, s3://, gs:// or az://"),
        ("s3://", {}, "s3://bucket/folder"),
        ("s3://bucket?zone=1", {}, "s3://bucket/folder"),
        ("s3://bucket?endpoint=nonsense", {}, "endpoint=https://"),
        ("gs://", {}, "gs://bucket/folder"),
        ("gs://bucket?region=x", {}, "gs://bucket/folder"),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT": "/nowhere.json"}, "/nowhere.json.*Set GOOGLE_SERVICE_ACCOUNT"),
        ("az://", {}, "az://container/folder"),
        ("az://container?x=y", AZURE, "az://container/folder"),
        ("az://container", {}, "Set AZURE_STORAGE_ACCOUNT_NAME"),
        ("az://container", AZURE | {"AZURE_STORAGE_ACCOUNT_KEY": "not base64"}, "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
async def test_address_that_opens_no_store_is_refused_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, url: str, settings: dict[str, str], says: str
) -> None:
    """OB1"""
    for name in AZURE:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Invalid, match=says) as refused:
        open_objects(url)

    assert "\n" not in refused.value.detail


async def test_azure_and_google_sign_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """OB2: nobody has to be asked."""
    for name, value in AZURE.items():
        monkeypatch.setenv(name, value)
    objects = open_objects("az://pictures/easel")

    assert objects.signs
    assert await objects.signed_beginning() == "https://ada.blob.core.windows.net/pictures/easel/"
    assert objects.upload_headers == {"x-ms-blob-type": "BlockBlob"}
