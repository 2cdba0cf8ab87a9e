"""`Idempotency-Key`: a write that is sent again with its key gives its first answer again and has no second effect."""

import asyncio
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec
import structlog
from litestar.exceptions import ClientException

from app.auth.callers import SAFE_METHODS, Caller
from app.edge import App, Message, Receive, Scope, Send
from app.problems import MAX_BODY_BYTES
from app.sweeper import ANSWERS_KEPT_H
from canvas.errors import BadRequest, Conflict, Unavailable
from canvas.store.postgres import Pool, reaching_the_database

log = structlog.get_logger(__name__)

MAX_KEY_CHARACTERS = 255
DEAD_AFTER_S = 60  # an attempt without an answer for this long has died with its server
FIRST_LOOK_S, LONGEST_LOOK_S = 0.02, 0.25  # how often a second request looks for the first one's answer
_KEPT_HEADERS = frozenset({b"content-type", b"location", b"easel-seq", b"etag"})
_TRY_AGAIN = 429  # like a 5xx: the same request is expected to come again, and to do better


class _Attempt(NamedTuple):
    account_id: str
    route: str
    key: str
    digest: bytes


class _Answer(msgspec.Struct):
    status: int = 0
    headers: list[tuple[str, str]] = []
    body: bytes = b""


class Idempotency:
    """Litestar middleware; stands after the one that finds out who is asking."""

    def __init__(self, app: App, answers: "KeptAnswers") -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope)
        caller: Caller | None = scope.get("user")
        if key is None or caller is None or scope["route_handler"].opt.get("fresh"):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        digest = sha256(scope["query_string"] + b"\0" + body).digest()
        attempt = _Attempt(caller.account_id, f"{scope['method']} {scope['path']}", key, digest)
        claimed_at = await self._answers.claim(attempt)
        if isinstance(claimed_at, _Answer):
            await _send_again(claimed_at, send)
            return
        await self._carry_out(attempt, claimed_at, scope, _given(body, receive), send)

    async def _carry_out(
        self, attempt: _Attempt, claimed_at: datetime, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The answer is kept before it is sent: who has seen it can rely on seeing it again."""
        answer = _Answer()
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message["headers"]
                    if name.lower() in _KEPT_HEADERS
                ]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        is_kept = False
        try:
            await self._app(scope, receive, hold)
            is_kept = 200 <= answer.status < 500 and answer.status != _TRY_AGAIN
        finally:
            if not is_kept:
                await self._answers.forget(attempt, claimed_at)
        if is_kept:
            try:
                await self._answers.keep(attempt, claimed_at, answer)
            except Unavailable:  # the write is done: saying that it failed would invite a second one
                log.warning("idempotency.not_kept", route=attempt.route)
        for message in held:
            await send(message)


class KeptAnswers:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, attempt: _Attempt) -> datetime | _Answer:
        """When this attempt began, if it is the first; else the first one's answer, waited for if need be.

        Raises Conflict when the key was used for another body.
        """
        pause_s = FIRST_LOOK_S
        while True:
            async with reaching_the_database():
                claimed_at: datetime | None = await self._pool.fetchval(_CLAIM, *attempt, ANSWERS_KEPT_H, DEAD_AFTER_S)
                row = None if claimed_at else await self._pool.fetchrow(_FIND, *attempt[:3])
            if claimed_at is not None:
                return claimed_at
            if row is not None and row["digest"] != attempt.digest:
                detail = "This Idempotency-Key was used for another body. Take a new key for a new request."
                raise Conflict(detail, code="IDEMPOTENCY_CONFLICT")
            if row is not None and row["status"] is not None:
                headers = msgspec.json.decode(row["headers"], type=list[tuple[str, str]])
                return _Answer(row["status"], headers, row["body"])
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_LOOK_S)

    async def keep(self, attempt: _Attempt, claimed_at: datetime, answer: _Answer) -> None:
        headers = msgspec.json.encode(answer.headers).decode()
        async with reaching_the_database():
            await self._pool.execute(_KEEP, *attempt[:3], claimed_at, answer.status, headers, answer.body)

    async def forget(self, attempt: _Attempt, claimed_at: datetime) -> None:
        """The attempt failed: the next one with this key is a first one."""
        async with reaching_the_database():
            await self._pool.execute(_FORGET, *attempt[:3], claimed_at)


def _key_of(scope: Scope) -> str | None:
    """Raises BadRequest for a key that is none."""
    if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
        return None
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found:
        return None
    key: str = found[0].decode("latin-1")
    if len(found) > 1 or not 1 <= len(key) <= MAX_KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise BadRequest(f"An Idempotency-Key is one header of 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.")
    return key


async def _read(receive: Receive) -> bytes:
    """Raises ClientException for a body that is too large, or whose sender has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientException("The request broke off.")
        body += message["body"]
        if len(body) > MAX_BODY_BYTES:
            raise ClientException(status_code=413)
        if not message["more_body"]:
            return bytes(body)


def _given(body: bytes, receive: Receive) -> Receive:
    """The body once more, for who comes next; then whatever the connection says."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


async def _send_again(answer: _Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"idempotency-replayed", b"true"))
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


# An expired row counts as none. A dead attempt is taken over, but only for the very same request.
_CLAIM = """
    INSERT INTO idempotency_keys AS old (account_id, route, key, digest) VALUES ($1, $2, $3, $4)
    ON CONFLICT (account_id, route, key) DO UPDATE
    SET digest = excluded.digest, status = NULL, headers = NULL, body = NULL, created_at = clock_timestamp()
    WHERE old.created_at < now() - make_interval(hours => $5)
      OR (old.status IS NULL AND old.digest = excluded.digest AND old.created_at < now() - make_interval(secs => $6))
    RETURNING created_at"""
_FIND = "SELECT digest, status, headers, body FROM idempotency_keys WHERE account_id = $1 AND route = $2 AND key = $3"
# `created_at` tells one attempt from the next: one that was given up for dead must not answer for its successor.
_KEEP = """
    UPDATE idempotency_keys SET status = $5, headers = $6, body = $7
    WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at = $4"""
_FORGET = """
    DELETE FROM idempotency_keys
    WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at = $4 AND status IS NULL"""
