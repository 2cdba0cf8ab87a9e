"""The HTTP door: what left, what came back, and what no error shows (image-jobs.md §2.4, §6)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from jobs.errors import (
    DownloadBlocked,
    JobError,
    OutcomeUnknown,
    ProviderAuth,
    ProviderFailed,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from jobs.providers.http import Answering, Event, Reply, Vendor, credential_of, open_http
from tests.jobs.providers.sim.server import (
    Asked,
    Server,
    Told,
    Turn,
    cut_after,
    cut_before,
    cut_in_body,
    instead,
    never,
    told,
)
from tests.jobs.providers.stage import KEY, assert_tells_nothing, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

Opened = Callable[..., Vendor]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async def respond(asked: Asked) -> Told:
        return told({"you": asked.headers.get("authorization")}, headers={"x-request-id": "req_1"})

    async with Server(respond) as server:
        yield server


@pytest.fixture
def opened(server: Server, http: httpx.AsyncClient) -> Opened:
    def open_vendor(key: str = KEY, **settings: Any) -> Vendor:
        headers = {"Authorization": f"Bearer {key}"}
        at = {"base_url": f"{server.url}/v1", **settings}
        return Vendor("Acme", headers=headers, secrets=(key,), http=http, **at)

    return open_vendor


async def failure(vendor: Vendor, *, is_order: bool, timeout_s: float = 30.0, path: str = "/orders") -> JobError:
    with pytest.raises(JobError) as caught:
        await vendor.send("POST", path, is_order=is_order, json={"a": 1}, timeout_s=timeout_s)
    assert_tells_nothing(caught.value)
    return caught.value


async def test_request_carries_the_key_and_nothing_of_the_environment(
    opened: Opened, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async with open_http() as client:
        vendor = Vendor("Acme", server.url, headers={"X-Key": KEY}, secrets=(KEY,), http=client)
        reply = await vendor.send("POST", "orders", is_order=True, json={"a": "ö"}, headers={"X-More": "1"})

    [asked] = server.asked
    assert (asked.path, asked.json(), asked.headers["x-key"], asked.headers["x-more"]) == (
        "/orders",
        {"a": "ö"},
        KEY,
        "1",
    )
    assert (reply.status, reply.content_type, reply.request_id) == (200, "application/json", "req_1")


async def test_no_connection_is_used_twice(opened: Opened, server: Server) -> None:
    """On one that is just being closed an order would end as OUTCOME_UNKNOWN though nobody ever saw it."""
    for _ in range(2):
        await opened().send("GET", "/jobs/1", is_order=False)
        await server.until_quiet()


async def test_cookies_are_not_kept(opened: Opened, server: Server) -> None:
    server.then(instead(Told(headers={"Set-Cookie": "session=1; Path=/"})))

    for _ in range(2):
        await opened().send("GET", "/jobs/1", is_order=False)

    assert all("cookie" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize("nobody", ["http://127.0.0.1:1", "http://nobody.invalid"])
async def test_what_never_left_is_no_order(opened: Opened, nobody: str) -> None:
    for is_order in (True, False):
        error = await failure(opened(base_url=nobody), is_order=is_order)
        assert isinstance(error, ProviderUnavailable)
        assert error.charged == "no"


async def test_failed_tls_handshake_is_no_order(opened: Opened, server: Server) -> None:
    error = await failure(opened(base_url=server.url.replace("http:", "https:")), is_order=True)

    assert isinstance(error, ProviderUnavailable)
    await server.until_quiet()
    assert not server.asked


@pytest.mark.parametrize("cut", [cut_before, cut_after, cut_in_body])
async def test_order_that_left_and_was_cut_is_unknown_and_a_look_is_repeated(
    opened: Opened, server: Server, cut: Any
) -> None:
    server.then(cut, cut)

    order, look = [await failure(opened(), is_order=is_order) for is_order in (True, False)]

    assert (type(order), order.charged) == (OutcomeUnknown, "unknown")
    assert (type(look), look.retryable) == (ProviderUnavailable, True)
    assert order.said is not None


async def test_refusal_that_is_cut_off_is_a_refusal(opened: Opened, server: Server) -> None:
    async def half(turn: Turn) -> None:
        await turn.begin(Told(b"{}" * 99, 429, headers={"Retry-After": "7", "x-request-id": "req_7"}))
        turn.hang_up()

    server.then(half)

    error = await failure(opened(), is_order=True)

    assert (error.code, error.charged, error.retry_after_s) == ("PROVIDER_RATE_LIMITED", "no", 7)
    assert error.said is not None
    assert error.said.request_id == "req_7"


async def test_endless_excuse_is_cut(opened: Opened, server: Server) -> None:
    server.then(instead(Told(b"x" * 2_000_000, 500)))

    reply = await opened(max_answer_bytes=1_048_576).send("POST", "/orders", is_order=True)

    assert (reply.status, len(reply.content) <= 1_048_576) == (500, True)


async def test_no_answer_in_time(opened: Opened, server: Server) -> None:
    server.then(never, never)

    order, look = [await failure(opened(), is_order=is_order, timeout_s=0.5) for is_order in (True, False)]

    assert (type(order), type(look)) == (OutcomeUnknown, ProviderTimeout)
    await server.until_quiet()


async def test_deadline_is_for_the_whole_answer(opened: Opened, server: Server) -> None:
    """Whoever sends a byte now and then holds no worker for ever."""

    async def drip(turn: Turn) -> None:
        await turn.begin(Told(headers={"Content-Length": str(2**40)}))
        while True:
            await turn.write(b" ")
            await asyncio.sleep(0)

    server.then(drip)

    async with asyncio.timeout(5):
        assert isinstance(await failure(opened(), is_order=True, timeout_s=0.5), OutcomeUnknown)
    await server.until_quiet()


async def test_somebody_elses_timeout_is_left_alone(opened: Opened) -> None:
    with pytest.raises(TimeoutError, match="mine"):
        async with opened().stream("GET", "/jobs/1", is_order=True):
            raise TimeoutError("mine")


@pytest.mark.parametrize(("is_order", "charged"), [(True, "yes"), (False, "unknown")])
async def test_answer_is_bounded(opened: Opened, server: Server, is_order: bool, charged: str) -> None:
    server.then(instead(Told(b"x" * 2_000_000)))

    error = await failure(opened(max_answer_bytes=1_048_576), is_order=is_order)

    assert isinstance(error, DownloadBlocked)
    assert (error.code, error.charged) == ("DOWNLOAD_TOO_LARGE", charged)
    assert "1 MiB" in error.detail
    await server.until_quiet()


async def test_answer_is_bounded_after_it_is_unpacked(opened: Opened, server: Server) -> None:
    server.then(instead(Told(gzip.compress(b"x" * 2_000_000), headers={"Content-Encoding": "gzip"})))

    assert isinstance(await failure(opened(max_answer_bytes=1_048_576), is_order=True), DownloadBlocked)


async def test_answer_that_cannot_be_unpacked_is_unknown(opened: Opened, server: Server) -> None:
    server.then(instead(Told(b"no gzip", headers={"Content-Encoding": "gzip"})))

    assert isinstance(await failure(opened(), is_order=True), OutcomeUnknown)


async def test_redirect_is_not_followed(opened: Opened, server: Server) -> None:
    server.then(instead(Told(status=302, headers={"Location": "/v1/other"})))

    reply = await opened().send("POST", "/orders", is_order=True)

    assert reply.status == 302
    assert len(server.asked) == 1
    refused = opened().refusal(reply, is_order=True)
    assert isinstance(refused, ProviderRefused)
    assert "redirect" in refused.detail


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.example/jobs/1",
        "http://cdn.acme.example/jobs/1",
        "https://127.0.0.1/jobs/1",
        "http://127.0.0.1:1/jobs/1",
        "http://169.254.169.254/latest",
        "http://[",
    ],
)
async def test_key_goes_nowhere_else(opened: Opened, server: Server, address: str) -> None:
    error = await failure(opened(hosts=frozenset({"cdn.acme.example"})), is_order=False, path=address)

    assert isinstance(error, ProviderFailed)
    assert not server.asked


async def test_address_on_the_own_origin_may_be_given(opened: Opened, server: Server) -> None:
    await opened().send("GET", f"{server.url}/elsewhere/1?a=b", is_order=False)

    assert (server.asked[0].path, server.asked[0].query) == ("/elsewhere/1", {"a": "b"})


@pytest.mark.parametrize("key", [KEY + "\n", KEY + "\r\nX-Evil: 1", "schlüssel-" + KEY])
async def test_key_that_is_none_is_said_without_showing_it(opened: Opened, server: Server, key: str) -> None:
    assert isinstance(await failure(opened(key), is_order=True), ProviderAuth)
    assert not server.asked


async def test_key_is_redacted_in_every_form(opened: Opened) -> None:
    vendor = opened("id:se/cret", base_url="http://user:pass-word@127.0.0.1")
    reply = Reply(400, {}, b"")

    said = vendor.said(
        reply, code="id:se/cret", message=f"a id:se/cret {quote('id:se/cret', '')} pass-word {'A' * 300}"
    )

    assert said.message == "a [key] [key] [key] [data]"
    assert said.code == "[key]"
    assert len(vendor.redacted("word " * 9_000)) == 2_000
    page = Reply(400, {"content-type": "text/plain"}, b"." * 1_995 + b"id:se/cret")
    assert vendor.said(page).message == "." * 1_995 + "[key]"


@pytest.mark.parametrize(
    ("status", "is_order", "expected"),
    [
        (408, True, OutcomeUnknown),
        (520, True, OutcomeUnknown),
        (527, True, OutcomeUnknown),
        (529, True, ProviderUnavailable),
        (501, True, ProviderUnavailable),
        (502, False, ProviderUnavailable),
        (504, False, ProviderTimeout),
        (408, False, ProviderTimeout),
        (418, True, ProviderRefused),
    ],
)
async def test_status_means(opened: Opened, status: int, is_order: bool, expected: type[JobError]) -> None:
    reply = Reply(status, {"content-type": "text/plain"}, b"I am a teapot")

    refused = opened().refusal(reply, is_order=is_order)

    assert type(refused) is expected
    assert refused.said is not None
    assert refused.said.message == "I am a teapot"


LATER = format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True)
EARLIER = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": " 7.5 "}, 7.5, 7.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25, 0.25),
        ({"retry-after": LATER}, 8 * 3600, 9 * 3600),
        ({"retry-after": EARLIER}, 0, 0),
    ],
)
async def test_retry_after(headers: dict[str, str], least: float, most: float) -> None:
    """RFC 9110 10.2.3."""
    seconds = Reply(429, headers, b"").retry_after_s

    assert seconds is not None
    assert least <= seconds <= most


@given(some.text())
@example("0\x1f")
@example("Sun, 22 Nov 2026 0:0:0 +99999999999")
@settings(deadline=None)
async def test_retry_after_that_makes_no_sense_is_none_or_no_less_than_nothing(text: str) -> None:
    seconds = Reply(429, {"retry-after": text, "retry-after-ms": text}, b"").retry_after_s

    assert seconds is None or 0 <= seconds < 10**10


@given(some.binary())
@settings(deadline=None)
async def test_body_that_is_no_json_is_none(content: bytes) -> None:
    Reply(200, {}, content).json()

    assert Reply(200, {}, b"{" + content).json() is None or content.strip().endswith(b"}")
    assert Reply(200, {}, b"[" * 100_000).json() is None


STREAM = (
    ': hello\r\n\r\nevent: draft\r\nid: 7\r\ndata: {"a":\r\ndata:  1}\r\n\r\n'
    "data: line\u2028separator\n\ndata\n\nevent: lost\n\ndata: [DONE]\n\ndata: unfinished"
).encode()


@given(some.lists(some.integers(0, len(STREAM))))
@settings(deadline=None)
async def test_stream_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    """HTML standard 9.2.6, ended by LF or CRLF: U+2028 may stand in JSON as it is."""
    ends = sorted({0, len(STREAM), *cuts})

    async def pieces() -> AsyncIterator[bytes]:
        for start, end in pairwise(ends):
            yield STREAM[start:end]

    answering = Answering(httpx.Response(200, headers={"Content-Type": "text/event-stream"}), pieces())
    events = [event async for event in answering.events()]

    assert answering.is_event_stream
    assert events == [
        Event("draft", '{"a":\n 1}'),
        Event("message", "line\u2028separator"),
        Event("message", ""),
        Event("message", "[DONE]"),
    ]
    assert events[0].json() == {"a": 1}
    assert events[1].json() is None


async def test_leaving_a_stream_hangs_up(opened: Opened, server: Server) -> None:
    more = asyncio.Event()

    async def first_of_many(turn: Turn) -> None:
        await turn.begin(Told(b"data: 1\n\n" * 2, content_type="text/event-stream"))
        await turn.write(b"data: 1\n\n")
        await turn.gone()
        more.set()

    server.then(first_of_many)
    async with opened().stream("POST", "/orders", is_order=True) as answering:
        async for event in answering.events():
            assert event.data == "1"
            break

    await more.wait()
    await server.until_quiet()


async def test_credential_tells_nothing_of_the_key() -> None:
    assert credential_of("abc") == "ba7816bf8f01"  # FIPS 180-2, B.1
    assert credential_of("abd") != credential_of("abc")
