"""Stored pictures: whole, in part, again, and only for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.app.running import Person, Server, Worker, some_name

Sql = Callable[..., list[dict[str, object]]]


@pytest.fixture(scope="module")
def painter(server: Server, worker: Worker, database_url: str) -> Iterator[Person]:
    person = Person(server, database_url, some_name())
    with person.http:
        yield person


@pytest.fixture(scope="module")
def url(painter: Person) -> str:
    return str(painter.finishes(painter.workflow())["imageUrl"])


def test_public_picture_needs_no_sign_in(nobody: httpx.Client, url: str) -> None:
    answer = nobody.get(url)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_picture_one_has_is_not_sent_again(nobody: httpx.Client, url: str) -> None:
    etag = nobody.get(url).headers["etag"]

    again = nobody.get(url, headers={"If-None-Match": f"W/{etag}"})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None)],
)
def test_part_of_a_picture(nobody: httpx.Client, url: str, asked: str, start: int, end: int | None) -> None:
    whole = nobody.get(url).content

    part = nobody.get(url, headers={"Range": asked})

    assert part.content == whole[start:end]
    is_whole = len(part.content) == len(whole)
    assert part.status_code == (200 if is_whole else 206)
    first = len(whole) + start if start < 0 else start
    if not is_whole:
        assert part.headers["content-range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=9-3", "bytes=-0"])
def test_part_that_is_not_there(nobody: httpx.Client, url: str, asked: str) -> None:
    answer = nobody.get(url, headers={"Range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")


@pytest.mark.parametrize("asked", ["bytes=a-b", "bytes=0-1,3-4", "chunks=1-2", "bytes=-", ""])
def test_range_we_do_not_know_is_the_whole(nobody: httpx.Client, url: str, asked: str) -> None:
    assert nobody.get(url, headers={"Range": asked}).status_code == 200


def test_head_is_the_headers_alone(nobody: httpx.Client, url: str) -> None:
    got, head = nobody.get(url), nobody.head(url)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("path", ["/objects/nothing", "/objects/../../etc/passwd", "/objects/%2e%2e/x", "/objects/"])
def test_unknown_picture(nobody: httpx.Client, path: str) -> None:
    assert nobody.get(path).status_code == 404


def test_private_picture_is_the_owners_alone(
    painter: Person, stranger: Person, nobody: httpx.Client, url: str, sql: Sql
) -> None:
    key = url.removeprefix("/objects/")
    sql("UPDATE objects SET is_private = true WHERE key = $1", key)

    answers = [who.get(url) for who in (nobody, stranger.http, painter.http)]

    sql("UPDATE objects SET is_private = false WHERE key = $1", key)
    assert [answer.status_code for answer in answers] == [404, 404, 200]
    assert answers[2].headers["cache-control"].startswith("private")


def test_pictures_that_are_not_public_need_a_sign_in(
    stranger: Person, another_server: Callable[..., Server], url: str
) -> None:
    closed = another_server(EASEL_OBJECTS_PUBLIC="false")
    with httpx.Client(base_url=closed.url, trust_env=False) as client:
        without = client.get(url)
        with_token = client.get(url, headers={"Authorization": f"Bearer {stranger.token}"})

    assert (without.status_code, with_token.status_code) == (404, 200)
    assert with_token.headers["cache-control"].startswith("private")
