"""The one module that speaks HTTP to vendors: what left, what came back, and what that means for money.

A vendor's own codes are its adapter's work. Pictures at other people's addresses are `jobs.downloads`' work.
"""

from __future__ import annotations

import asyncio
import hashlib
import json as jsonlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from jobs.errors import (
    DownloadBlocked,
    JobError,
    OutcomeUnknown,
    ProviderAuth,
    ProviderFailed,
    ProviderPermission,
    ProviderQuota,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Said,
)

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 30.0
MESSAGE_CHARACTERS: Final = 2_000  # a page of a provider's words
SENTENCE_CHARACTERS: Final = 300  # of them in what a person reads first
REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-fal-request-id")

# Who reads it first has the canvas open, and no access to the settings.
WRONG_KEY: Final = "Until whoever runs this Easel puts a valid one into .env, choose another model."

# A gateway that gave up waiting: whoever stands behind it may be working still. 520 to 527 are Cloudflare's.
NOBODY_KNOWS: Final = frozenset({408, 502, 504, *range(520, 528)})

Part = tuple[str | None, bytes | str] | tuple[str | None, bytes | str, str]
"""Of a multipart body: file name, content, and its type."""


class Reply(msgspec.Struct, frozen=True):
    """What a vendor answered, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def content_type(self) -> str:
        """Without its parameters, in lower case: `image/png`."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str | None:
        found = (self.headers[name][:200] for name in REQUEST_ID_HEADERS if self.headers.get(name))
        return next(found, None)

    @property
    def retry_after_s(self) -> float | None:
        """From `retry-after-ms` and `Retry-After` (seconds or an HTTP date, RFC 9110 10.2.3); None: it does not say."""
        milliseconds = _seconds(self.headers.get("retry-after-ms", ""))
        if milliseconds is not None:
            return milliseconds / 1000
        said = self.headers.get("retry-after", "")
        seconds = _seconds(said)
        return seconds if seconds is not None else _seconds_until(said)

    def json(self) -> Any:
        """None when it is no JSON."""
        try:
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):
            return None


class Event(msgspec.Struct, frozen=True):
    """One of a server-sent stream."""

    name: str
    data: str

    def json(self) -> Any:
        """None when it is no JSON."""
        try:
            return jsonlib.loads(self.data)
        except (ValueError, RecursionError):
            return None


class Answering:
    """An answer whose head has come. Read it whole or, when it is a stream of events, one by one."""

    def __init__(self, response: httpx.Response, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.head = Reply(response.status_code, {name.lower(): text for name, text in response.headers.items()}, b"")

    @property
    def is_event_stream(self) -> bool:
        return self.head.status == 200 and self.head.content_type == "text/event-stream"

    async def read(self) -> Reply:
        content = b"".join([piece async for piece in self._pieces])
        return msgspec.structs.replace(self.head, content=content)

    async def events(self) -> AsyncIterator[Event]:
        """As the HTML standard parses them; ids and retry times are of no use to an order that is sent once."""
        name, data = "", list[str]()
        async for line in _lines(self._pieces):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not line:
                if data:
                    yield Event(name or "message", "\n".join(data))
                name, data = "", []


class Vendor:
    """One vendor's HTTP door.

    The key goes to the origin of `base_url` and to `hosts` (over https), nowhere else. Redirects are not followed.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        http: httpx.AsyncClient,
        hosts: frozenset[str] = frozenset(),
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """`name` is as people read it ("OpenAI"). `secrets` are what no error may show: the key without `Bearer`."""
        self.name = name
        self._base = httpx.URL(base_url.rstrip("/"))
        self.origin = f"{self._base.scheme}://{self._base.netloc.decode()}"
        self._headers = dict(headers)
        self._http = http
        self._hosts = hosts
        self._max_answer_bytes = max_answer_bytes
        shown = [form for secret in (*secrets, self._base.password) if secret for form in (secret, quote(secret, ""))]
        self._secrets = sorted(shown, key=len, reverse=True)

    async def send(
        self,
        method: str,
        path_or_url: str,
        *,
        is_order: bool,
        json: Any = None,
        content: bytes | None = None,
        files: Sequence[tuple[str, Part]] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Reply:
        """Once, and whatever status comes back is an answer. `timeout_s` is for all of it, to the last byte.

        `is_order`: the request may cost money. Then what fails before the first byte left is ProviderUnavailable, and
        what fails after it is OutcomeUnknown. Otherwise (polling, fetching, cancelling) it is ProviderUnavailable or
        ProviderTimeout, and may be repeated. An answer that is too long is DownloadBlocked.
        """
        body = {"json": json, "content": content, "files": files, "data": data}
        async with self.stream(
            method, path_or_url, is_order=is_order, headers=headers, timeout_s=timeout_s, **body
        ) as answering:
            return await answering.read()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path_or_url: str,
        *,
        is_order: bool,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        **body: Any,
    ) -> AsyncIterator[Answering]:
        """As `send`, while it comes. Leaving the block hangs up."""
        left, answering = asyncio.Event(), None

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            if event.endswith("send_request_headers.started"):
                left.set()

        request = self._http.build_request(
            method,
            self._url(path_or_url),
            headers={**self._sendable_headers(), **(headers or {})},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
            extensions={"trace": trace},
            **body,
        )
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                response = await self._http.send(request, stream=True)
                answering = Answering(response, self._bounded(response, is_order))
                try:
                    yield answering
                finally:
                    await response.aclose()
        except httpx.RequestError as error:
            timed_out = isinstance(error, httpx.TimeoutException)
            what = f"{type(error).__name__}: {error}"
            raise self._failure(what, timed_out, is_order and left.is_set(), is_order, answering) from error
        except TimeoutError as error:
            if not deadline.expired():
                raise
            what = f"not done within {timeout_s:g} s"
            raise self._failure(what, True, is_order and left.is_set(), is_order, answering) from error

    def refusal(self, reply: Reply, *, is_order: bool, code: str | None = None, message: str | None = None) -> JobError:
        """What an answer's status means wherever the vendor's own code does not say more. `message` in their words."""
        status, said = reply.status, self.said(reply, code=code, message=message)
        why = in_their_words(said, "it does not say why.")
        if status == 401:
            return ProviderAuth(f"{self.name} does not accept the key. {WRONG_KEY}", said=said)
        if status == 402:
            return ProviderQuota(f"The credit at {self.name} is used up. Top it up there.", said=said)
        if status == 403:
            return ProviderPermission(f"{self.name} does not allow this with your key: {why}", said=said)
        if status == 429:
            sentence = f"{self.name} asks to wait before the next request."
            return RateLimited(sentence, retry_after_s=reply.retry_after_s, said=said)
        if is_order and status in NOBODY_KNOWS:
            return self.outcome_unknown(f"{self.name} answered {status}", said=said)
        if status in (408, 504):
            return ProviderTimeout(f"{self.name} did not answer in time ({status}).", said=said)
        if status >= 500:
            sentence = f"{self.name} is not available at the moment (it answered {status})."
            return ProviderUnavailable(sentence, retry_after_s=reply.retry_after_s, said=said)
        if 300 <= status < 400:
            sentence = f"{self.name} answered with a redirect. Whoever runs this Easel can check its URL in .env."
            return ProviderRefused(sentence, said=said)
        return ProviderRefused(f"{self.name} does not take this: {why}", said=said)

    def said(self, reply: Reply, *, code: str | None = None, message: str | None = None) -> Said:
        """In a provider's own words, without secrets. Without a `message` it is the body, if that is plain text."""
        if message is None and reply.content_type == "text/plain":
            # More than is kept: a key that the cut went through would not be recognised.
            message = reply.content[: 4 * MESSAGE_CHARACTERS].decode("utf-8", "replace")
        return Said(
            code=self.redacted(code)[:200] if code else None,
            message=self.redacted(message) if message else None,
            request_id=reply.request_id,
            http_status=reply.status,
        )

    def redacted(self, text: str) -> str:
        """Without the key and without base64, cut to a page."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return re.sub(r"[A-Za-z0-9+/_=-]{200,}", "[data]", text)[:MESSAGE_CHARACTERS]

    def outcome_unknown(self, what: str, *, said: Said | None = None) -> OutcomeUnknown:
        """`what` begins the sentence and has no full stop."""
        advice = "It may have been carried out and charged: look there before you run it again."
        return OutcomeUnknown(f"{what} after the order was sent. {advice}", said=said)

    def _url(self, path_or_url: str) -> httpx.URL:
        if not re.match(r"https?://", path_or_url):
            return httpx.URL(f"{self._base}/{path_or_url.lstrip('/')}")
        try:
            url = httpx.URL(path_or_url)
        except httpx.InvalidURL as error:
            raise ProviderFailed(f"{self.name} gave an address that is none.", charged="unknown") from error
        base = self._base
        same_origin = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
        if not same_origin and not (url.scheme == "https" and url.host in self._hosts):
            raise ProviderFailed(
                f"{self.name} gave an address at {url.host[:100]}, where its key does not go. Check the settings.",
                charged="unknown",
            )
        return url

    def _sendable_headers(self) -> dict[str, str]:
        """A line break that was pasted with a key would otherwise come back in an exception's text, key and all."""
        if all(value.isascii() and value.isprintable() for value in self._headers.values()):
            return self._headers
        raise ProviderAuth(f"The key for {self.name} has characters that no key has. {WRONG_KEY}")

    async def _bounded(self, response: httpx.Response, is_order: bool) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for piece in response.aiter_bytes():
            size_bytes += len(piece)
            if size_bytes > self._max_answer_bytes and response.is_error:
                return  # enough of an excuse
            if size_bytes > self._max_answer_bytes:
                limit_mib = self._max_answer_bytes / 1024 / 1024
                raise DownloadBlocked(
                    f"{self.name} answered with more than {limit_mib:g} MiB. Ask for fewer or smaller pictures.",
                    code="DOWNLOAD_TOO_LARGE",
                    charged="yes" if is_order and response.is_success else "unknown",
                )
            yield piece

    def _failure(
        self, what: str, timed_out: bool, may_be_accepted: bool, is_order: bool, answering: Answering | None
    ) -> JobError:
        if answering is not None and answering.head.status >= 400:
            return self.refusal(answering.head, is_order=is_order)  # the status was enough
        request_id = answering.head.request_id if answering is not None else None
        said = Said(message=self.redacted(what), request_id=request_id)
        if may_be_accepted:
            how = "did not answer in time" if timed_out else "hung up"
            return self.outcome_unknown(f"{self.name} {how}", said=said)
        if timed_out and not is_order:
            return ProviderTimeout(f"{self.name} did not answer in time.", said=said)
        return ProviderUnavailable(f"{self.name} cannot be reached at the moment.", said=said)


def open_http() -> httpx.AsyncClient:
    """One for all vendors of a process; close it at the end.

    No connection is used twice: on one that the other side is just closing, an order would end as OutcomeUnknown though
    nobody ever saw it. No cookies, no proxies from the environment.
    """
    return httpx.AsyncClient(
        headers={"User-Agent": "easel", "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx.Limits(max_connections=200, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
        verify=_trusted(),
    )


def in_their_words(said: Said, otherwise: str) -> str:
    """What a provider said, short, as the end of a sentence of ours."""
    text = (said.message or "").strip()
    if not text:
        return otherwise
    if len(text) > SENTENCE_CHARACTERS:
        return text[: SENTENCE_CHARACTERS - 1] + "…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def credential_of(key: str) -> str:
    """A name for a key that tells nothing of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


@cache
def _trusted() -> ssl.SSLContext:
    """Once a process: reading the certificates takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


def _seconds(text: str) -> float | None:
    number = text.strip()
    return float(number) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) else None


def _seconds_until(date: str) -> float | None:
    try:
        until = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Ended by LF or CRLF only: U+2028 may stand in JSON as it is."""
    rest = bytearray()
    async for piece in pieces:
        start = len(rest)
        rest += piece
        while (end := rest.find(b"\n", start)) >= 0:
            yield rest[:end].removesuffix(b"\r").decode("utf-8", "replace")
            del rest[: end + 1]
            start = 0
