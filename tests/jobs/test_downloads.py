"""Guarded downloads, over real sockets: what comes, what is refused, and that nothing private is ever connected to."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest

from jobs.downloads import DownloadLimits, Downloads
from jobs.errors import DownloadBlocked, DownloadFailed, ImageInvalid
from tests.jobs.hostile_urls import HOSTILE_URLS

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)
PRIVATE_IPS = ["127.0.0.1"]
_connected: list[Any] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connected is not None:
        _connected.append(arguments[1])


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[Any]]:
    """Every address that this process connects a socket to."""
    global _connected  # noqa: PLW0603 - the interpreter's hooks cannot be removed
    _connected = []
    try:
        yield _connected
    finally:
        _connected = None


class Site:
    """A host on a free port that answers each request with the next of its answers, byte for byte."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.port = 0
        self.inside = 0
        self.moved = asyncio.Event()
        self.hang_up = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.inside += 1
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self.moved.set()
            writer.write(self.answers.pop(0))
            await writer.drain()
            if b"stay" in self.requests[-1].encode():
                await self.hang_up.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.inside -= 1
            self.moved.set()
            writer.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self.moved.clear()
            await self.moved.wait()

    @property
    def place(self) -> str:
        return f"cdn.test:{self.port}"

    def url(self, path: str = "/a.png", scheme: str = "http") -> str:
        return f"{scheme}://{self.place}{path}"


@asynccontextmanager
async def serve(site: Site, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    server = await asyncio.start_server(site, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        site.hang_up.set()
        server.close()
        await server.wait_closed()


def answer(content: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if not headers.keys() & {"content_length", "transfer_encoding", "connection"}:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def moved(url: str) -> bytes:
    return answer(b"", "302 Found", location=url)


async def to_loopback(host: str, port: int) -> list[str]:
    return PRIVATE_IPS


def opened(
    site: Site,
    *,
    limits: DownloadLimits | None = None,
    resolve: Callable[[str, int], Awaitable[list[str]]] = to_loopback,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Downloads:
    """`site` is a private host that the operator has allowed; nothing else is."""
    return Downloads(private_hosts=[site.place], limits=limits, resolve=resolve, transport=transport, clock=clock)


# What comes


async def test_a_picture_comes_as_it_is() -> None:
    async with serve(Site(answer(PNG, content_type="text/html"))) as site:
        with watched() as connections:
            content = await opened(site).fetch(site.url("/a.png?token=secret"), hosts=frozenset({"cdn.test"}))

    assert content == PNG
    assert connections == [("127.0.0.1", site.port)]
    head = site.requests[0].lower()
    assert head.startswith(f"get /a.png?token=secret http/1.1\r\nhost: cdn.test:{site.port}\r\n")
    assert "accept-encoding: identity" in head
    for credential in ("authorization", "cookie", "referer", "x-api-key"):
        assert credential not in head


async def test_no_cookie_and_no_proxy_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serve(Site(answer(PNG, set_cookie="session=1; Path=/"), answer(PNG))) as site:
        downloads = opened(site)
        for _ in range(2):
            await downloads.fetch(site.url(), hosts=None)

    assert "cookie" not in site.requests[1].lower()


async def test_a_redirect_is_followed_three_times_and_not_four() -> None:
    hops = [moved("/b"), moved("c"), moved("//cdn.test:{port}/d"), answer(PNG)]
    async with serve(Site(*hops)) as site:
        site.answers[2] = moved(f"//{site.place}/d")
        assert await opened(site).fetch(site.url("/a/"), hosts=None) == PNG
        assert [request.split()[1] for request in site.requests] == ["/a/", "/b", "/c", "/d"]

        site.answers += [moved("/again")] * 5
        with pytest.raises(DownloadBlocked):
            await opened(site).fetch(site.url(), hosts=None)
        assert len(site.requests) == 4 + 4


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    async with serve(Site(answer(PNG))) as site:
        assert await opened(site, resolve=two).fetch(site.url(), hosts=None) == PNG


async def test_a_providers_own_origin_may_be_private() -> None:
    async with serve(Site(answer(PNG), answer(PNG))) as site:
        downloads = Downloads(resolve=to_loopback)

        assert await downloads.fetch(site.url(), hosts=frozenset(), own_origin=site.url("/api/v1")) == PNG
        with pytest.raises(DownloadBlocked):
            await downloads.fetch(site.url(), hosts=frozenset({"cdn.test"}), own_origin="http://cdn.test:1/")


# What is refused


async def test_no_spelling_connects_to_a_private_address() -> None:
    downloads = Downloads(resolve=to_loopback)
    for url in HOSTILE_URLS:
        with watched() as connections, pytest.raises(DownloadBlocked):
            await downloads.fetch(url, hosts=None)
        assert connections == [], url


async def test_no_redirect_leads_to_a_private_address() -> None:
    """Each of the corpus that a Location can carry; one that names no host leads back to the site."""
    tried = [url for url in HOSTILE_URLS if url.isascii() and url.isprintable() and url.strip() == url]
    assert len(tried) > 150
    async with serve(Site()) as site:
        downloads = opened(site)
        for url in tried:
            site.answers[:] = [moved(url), *[moved("http://127.0.0.1:1/")] * 4]
            with watched() as connections, pytest.raises(DownloadBlocked):
                await downloads.fetch(site.url(), hosts=None)
            assert set(connections) == {("127.0.0.1", site.port)}, url
            assert len(connections) <= 2, url


async def test_a_redirect_out_of_the_allowed_hosts() -> None:
    async with serve(Site(moved("https://public.example/a.png"))) as site:
        with pytest.raises(DownloadBlocked, match=r"do not come from public\.example"):
            await opened(site).fetch(site.url(), hosts=frozenset({"cdn.test"}))


@pytest.mark.parametrize("ips", [["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1"], ["2606:4700::1", "fe80::1%2"]])
async def test_one_private_address_of_a_name_is_enough(ips: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ips

    with watched() as connections, pytest.raises(DownloadBlocked):
        await Downloads(resolve=resolve).fetch("https://cdn.example/a", hosts=None)

    assert connections == []


async def test_a_name_that_is_bound_anew_is_not_looked_up_twice() -> None:
    """Public at the first look and private at the second: the connection goes to what was checked."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    asked: list[httpx.Request] = []

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(PNG))

    downloads = Downloads(resolve=rebinding, transport=httpx.MockTransport(handler))
    assert await downloads.fetch("https://cdn.example/a", hosts=None) == PNG
    with pytest.raises(DownloadBlocked):
        await downloads.fetch("https://cdn.example/a", hosts=None)

    assert [str(request.url) for request in asked] == ["https://8.8.8.8/a"]
    assert asked[0].headers["host"] == asked[0].extensions["sni_hostname"] == "cdn.example"


async def test_more_than_the_limit_is_not_read() -> None:
    """DOWNLOAD_TOO_LARGE by what is announced, and by what comes although nothing or less was announced."""
    limits = DownloadLimits(max_bytes=4_000)
    announced = answer(PNG, content_length="4001")
    endless = answer(PNG + bytes(100_000), connection="close")
    chunk = b"1000\r\n" + PNG + bytes(0x1000 - len(PNG)) + b"\r\n"
    async with serve(Site(announced, endless, answer(chunk * 20, transfer_encoding="chunked"))) as site:
        for _ in range(3):
            with pytest.raises(DownloadBlocked) as caught:
                await opened(site, limits=limits).fetch(site.url("/stay"), hosts=None)
            assert caught.value.code == "DOWNLOAD_TOO_LARGE"


async def test_exactly_the_limit_is_read() -> None:
    async with serve(Site(answer(PNG))) as site:
        limits = DownloadLimits(max_bytes=len(PNG))
        assert await opened(site, limits=limits).fetch(site.url(), hosts=None) == PNG


async def test_the_first_bytes_decide_and_the_rest_is_not_waited_for() -> None:
    page = answer(b"<!doctype html><title>Please sign in to see this picture</title>" * 4, content_length="9000")
    async with serve(Site(page, answer(b""), answer(b"short"))) as site:
        for path in ("/stay", "/b", "/c"):
            with pytest.raises(ImageInvalid):
                await opened(site).fetch(site.url(path), hosts=None)


async def test_what_is_packed_is_not_unpacked() -> None:
    async with serve(Site(answer(b"\x1f\x8b\x08" + bytes(100), content_encoding="gzip"))) as site:
        with pytest.raises(ImageInvalid):
            await opened(site).fetch(site.url(), hosts=None)


# What fails


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, "OUTPUT_EXPIRED") for status in ("403 Forbidden", "404 Not Found", "410 Gone")),
        *((status, "DOWNLOAD_FAILED") for status in ("401 No", "429 Wait", "500 Oh", "503 Busy", "206 Part", "304 No")),
    ],
)
async def test_another_status(status: str, code: str) -> None:
    async with serve(Site(answer(b"", status))) as site:
        with pytest.raises(DownloadFailed) as caught:
            await opened(site).fetch(site.url("/a?token=secret"), hosts=None)

    assert caught.value.code == code
    assert caught.value.retryable
    assert "secret" not in caught.value.detail


async def test_a_body_that_is_cut() -> None:
    async with serve(Site(answer(PNG, content_length="9000"), b"HTTP/1.1 200 OK\r\nConte", b"")) as site:
        for _ in range(3):
            with pytest.raises(DownloadFailed):
                await opened(site).fetch(site.url(), hosts=None)


async def test_nobody_there() -> None:
    async with serve(Site()) as site:
        downloads = opened(site)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        await downloads.fetch(site.url(), hosts=None)


async def test_no_such_name() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(DownloadFailed, match=r"gone\.example cannot be found"):
        await Downloads(resolve=resolve).fetch("https://gone.example/a", hosts=None)


async def test_silence_and_the_deadline_end_it() -> None:
    hanging = answer(PNG, content_length="9000")
    async with serve(Site(hanging, hanging)) as site:
        for limits, sentence in (
            (DownloadLimits(silence_s=0.05), "fell silent"),
            (DownloadLimits(deadline_s=0.05), r"within 0\.05 s"),
        ):
            with pytest.raises(DownloadFailed, match=sentence):
                await opened(site, limits=limits).fetch(site.url("/stay"), hosts=None)


async def test_a_trickle_is_given_up() -> None:
    seconds = iter([0.0, 11.0])
    async with serve(Site(answer(PNG, content_length="9000"))) as site:
        with pytest.raises(DownloadFailed, match="too slowly"):
            await opened(site, clock=lambda: next(seconds)).fetch(site.url("/stay"), hosts=None)


async def test_only_so_many_are_held_at_once() -> None:
    async with serve(Site(answer(PNG)[:-100], answer(PNG))) as site:
        downloads = opened(site, limits=DownloadLimits(at_once=1))
        first = asyncio.create_task(downloads.fetch(site.url("/stay"), hosts=None))
        await site.until(lambda: len(site.requests) == 1)
        second = asyncio.create_task(downloads.fetch(site.url(), hosts=None))
        await site.until(lambda: len(site.requests) == 2 and site.inside == 1)  # all of the second has been sent
        assert not second.done()

        site.hang_up.set()

        with pytest.raises(DownloadFailed):
            await first
        assert await second == PNG


async def test_a_host_that_is_silent_holds_nobody_up() -> None:
    async with serve(Site(b"", answer(PNG))) as site:
        downloads = opened(site, limits=DownloadLimits(at_once=1))
        silent = asyncio.create_task(downloads.fetch(site.url("/stay"), hosts=None))
        await site.until(lambda: len(site.requests) == 1)

        assert await downloads.fetch(site.url(), hosts=None) == PNG

        site.hang_up.set()
        with pytest.raises(DownloadFailed):
            await silent
