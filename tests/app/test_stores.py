"""A running Easel whose pictures are in a bucket: one that speaks all of S3, and one that looks at signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.app.pictures import a_picture, asks, puts
from tests.app.running import Person, Server, some_name
from tests.jobs.objects.stores import BUCKET, KEY, moto, rclone

CDN = "https://cdn.example/easel"


@pytest.fixture(scope="module", params=[pytest.param("moto", marks=pytest.mark.soak), "rclone"])
def bucket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its EASEL_STORAGE_URL."""
    with moto() if request.param == "moto" else rclone(tmp_path_factory.mktemp("rclone")) as url:
        yield url


@pytest.fixture(scope="module")
def shop(bucket: str, environment: dict[str, str]) -> Iterator[Server]:
    running = Server(environment | KEY | {"EASEL_STORAGE_URL": bucket, "EASEL_CDN_URL": CDN})
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text


@pytest.fixture(scope="module")
def artist(shop: Server, database_url: str) -> Iterator[Person]:
    person = Person(shop, database_url, some_name())
    with person.http:
        yield person


def test_picture_goes_straight_to_the_bucket_and_comes_back(artist: Person, bucket: str) -> None:
    """AW2, OB1: whole and in part, whatever the store thinks of ranges."""
    content = a_picture("PNG", (900, 600))
    address = asks(artist.http)
    assert address["uploadUrl"].startswith(f"{_endpoint(bucket)}/{BUCKET}/uploads/")
    assert puts(address, content) == 200

    made = artist.http.post("/api/artworks", json={"title": "A fox", "originalKey": address["key"]}).json()["data"]

    assert made["displayUrl"].startswith(f"{CDN}/display/")
    original = made["originalUrl"]
    assert artist.http.get(original).content == content
    part = artist.http.get(original, headers={"Range": "bytes=10-99"})
    assert (part.status_code, part.content) == (206, content[10:100])
    link = artist.http.post("/api/objects/links", json={"url": original}).json()["url"]
    assert link.startswith(_endpoint(bucket))
    assert httpx.get(link, trust_env=False).content == content


def test_pages_may_send_to_the_bucket_and_show_the_cdns_pictures(artist: Person, bucket: str) -> None:
    """OB3: and nothing beside."""
    policy = artist.http.get("/health").headers["content-security-policy"]

    sources = {name: words for name, *words in (part.split() for part in policy.split(";"))}
    store = f"{_endpoint(bucket)}/{BUCKET}/"
    assert sources["img-src"] == ["'self'", "data:", "blob:", f"{CDN}/", store]
    assert sources["connect-src"] == ["'self'", f"{artist.server.url.replace('http', 'ws')}/", store]


def test_without_bucket_and_cdn_everything_is_here(nobody: httpx.Client) -> None:
    """OB3"""
    policy = nobody.get("/health").headers["content-security-policy"]

    assert re.findall(r"https?://\S+", policy) == []


def _endpoint(bucket: str) -> str:
    return urlsplit(bucket).query.removeprefix("endpoint=")
