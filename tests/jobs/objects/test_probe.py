"""What `easel doctor` says of a store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from jobs.errors import StorageFailed
from jobs.objects.probe import probe
from jobs.objects.store import Objects, open_objects
from tests.jobs.objects.conftest import Opened

pytestmark = pytest.mark.anyio

PAGE = "https://easel.example"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def leftovers(objects: Objects) -> list[str]:
    return [one.key async for page in objects.pages() for one in page]


@pytest.mark.parametrize(
    ("kind", "says"),
    [("folder", "uploads go through the server"), ("moto", f"uploads go straight to it, from pages of {PAGE}")],
)
async def test_store_that_works(opened: Opened, http: httpx.AsyncClient, kind: str, says: str) -> None:
    """OB7"""
    objects = opened(kind)

    assert says in await probe(objects, PAGE, http)

    assert await leftovers(objects) == []


async def test_store_that_lets_no_page_send(opened: Opened, http: httpx.AsyncClient) -> None:
    """OB7: rclone answers no browser that asks."""
    objects = opened("rclone")

    with pytest.raises(StorageFailed, match=f"Pages of {PAGE} may not send .* PUT with content-type .*docs/storage.md"):
        await probe(objects, PAGE, http)

    assert await leftovers(objects) == []


async def test_store_that_knows_other_keys(
    opened: Opened, http: httpx.AsyncClient, store_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OB7: the store's own words are among ours."""
    opened("rclone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with pytest.raises(StorageFailed, match=r"could not write .*EASEL_STORAGE_URL: .*403"):
        await probe(open_objects(store_urls["rclone"]), PAGE, http)


async def test_store_whose_signed_addresses_are_refused(opened: Opened, http: httpx.AsyncClient) -> None:
    """OB7: such as by a clock that is wrong."""
    objects = opened("rclone")
    sign = objects.sign

    async def tampered(*asked: object) -> str:
        return (await sign(*asked)).replace("X-Amz-Expires=60", "X-Amz-Expires=61")  # type: ignore[arg-type]

    objects.sign = tampered  # type: ignore[method-assign,assignment]

    with pytest.raises(StorageFailed, match=r"refuses the addresses .* \(403, 403\).*clock"):
        await probe(objects, PAGE, http)

    assert await leftovers(objects) == []


async def test_store_that_is_away(opened: Opened, http: httpx.AsyncClient) -> None:
    """OB7"""
    opened("moto")

    with pytest.raises(StorageFailed, match=r"Check EASEL_STORAGE_URL: .*127.0.0.1:9"):
        await probe(open_objects("s3://pictures?endpoint=http://127.0.0.1:9"), PAGE, http)
