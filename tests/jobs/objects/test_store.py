from __future__ import annotations

import stat
from pathlib import Path

import pytest

from canvas.errors import Invalid
from jobs.errors import StorageFailed
from jobs.objects.store import Objects, open_objects

pytestmark = pytest.mark.anyio

KEY = "originals/ada/0123-4567.png"


async def read(objects: Objects, key: str, start: int = 0, end: int | None = None) -> bytes | None:
    chunks = await objects.open(key, start, end)
    return None if chunks is None else b"".join([chunk async for chunk in chunks])


async def test_what_was_put_is_read_back_whole_or_in_part(tmp_path: Path) -> None:
    objects = open_objects(str(tmp_path / "objects"))
    content = bytes(range(256)) * 4096

    await objects.put(KEY, content, "image/png")

    assert await read(objects, KEY) == content
    assert await read(objects, KEY, 10, 20) == content[10:20]
    assert await read(objects, KEY, 1_048_570) == content[-6:]
    assert await objects.size(KEY) == len(content)


async def test_putting_again_changes_nothing(tmp_path: Path) -> None:
    """JB16"""
    objects = open_objects(str(tmp_path))

    await objects.put(KEY, b"a", "image/png")
    await objects.put(KEY, b"a", "image/png")

    assert await read(objects, KEY) == b"a"


async def test_what_is_not_there_is_none_and_may_be_deleted(tmp_path: Path) -> None:
    objects = open_objects(str(tmp_path))
    await objects.put(KEY, b"a", "image/png")

    await objects.delete(KEY)
    await objects.delete(KEY)

    assert await read(objects, KEY) is None
    assert await objects.size(KEY) is None


async def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    open_objects(f"file://{tmp_path}/a/objects")

    assert stat.S_IMODE((tmp_path / "a" / "objects").stat().st_mode) == 0o700


async def test_a_store_that_fails_says_so(tmp_path: Path) -> None:
    """JB17"""
    objects = open_objects(str(tmp_path / "objects"))
    await objects.check()
    (tmp_path / "objects" / "originals").write_bytes(b"a file where a folder must be")

    with pytest.raises(StorageFailed, match="EASEL_STORAGE_URL"):
        await objects.put(KEY, b"a", "image/png")


async def test_s3_that_is_away_is_a_storage_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    objects = open_objects("s3://pictures/folder?endpoint=http://127.0.0.1:9&region=eu-central-1")

    with pytest.raises(StorageFailed):
        await objects.check()


@pytest.mark.parametrize("url", ["ftp://x", "s3://", "s3://bucket?zone=1"])
async def test_an_address_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="EASEL_STORAGE_URL"):
        open_objects(url)
