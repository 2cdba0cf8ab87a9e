from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.objects.store import Objects, open_objects
from tests.jobs.objects.stores import KEY, moto, rclone

Opened = Callable[[str], Objects]


@pytest.fixture(scope="session")
def store_urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """EASEL_STORAGE_URL of each kind of store that the tests have."""
    with moto() as moto_url, rclone(tmp_path_factory.mktemp("rclone")) as rclone_url:
        yield {"folder": tmp_path_factory.mktemp("objects").as_uri(), "moto": moto_url, "rclone": rclone_url}


@pytest.fixture
def opened(store_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A store of a kind, in a folder of its own that is empty."""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)

    def open_one(kind: str) -> Objects:
        folder = f"/t{secrets.token_hex(4)}"
        address, _, options = store_urls[kind].partition("?")
        return open_objects(f"{address}{folder}?{options}" if options else address + folder)

    return open_one


@pytest.fixture(params=["folder", "moto", "rclone"])
def objects(request: pytest.FixtureRequest, opened: Opened) -> Objects:
    return opened(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "objects"
