"""Tells operators and owners of failed runs by signed webhooks, until they have heard. Rules: SPEC.md."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from contextlib import suppress
from datetime import UTC
from typing import Final, NamedTuple

import structlog

from canvas.errors import Unavailable
from jobs.addresses import check_address, read_address
from jobs.errors import DownloadBlocked, DownloadFailed
from jobs.guarded import GuardedClient
from jobs.metrics import NOTICES
from jobs.notice import OPERATOR, NewFailureWebhook, body_of, next_pause_s
from jobs.providers.http import Reply
from jobs.store.notices import FORGOTTEN_AFTER, DueNotice, NoticeStore
from jobs.webhooks.delivery import Clock
from jobs.webhooks.standard import keys_of, sign

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 15.0  # Standard Webhooks: from 15 to 30 s
LEASE_S: Final = 60.0  # a worker that died while it was sending is followed by another
MAX_ANSWER_BYTES: Final = 64 << 10  # nobody reads it
SEND_EVERY_S: Final = 1.0
BEGIN_EVERY_S: Final = 3600.0
GONE: Final = 410
NOWHERE: Final[frozenset[str]] = frozenset()


class Destination(NamedTuple):
    url: str
    secrets: str
    """As a setting holds them: comma separated, the first signs."""


class Refusal(Exception):
    """An attempt that failed: a sentence, what the receiver asked for, and whether it wants no more."""

    def __init__(self, reason: str, *, asked_s: float | None = None, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.asked_s = asked_s
        self.is_final = is_final


class Notices:
    def __init__(
        self,
        store: NoticeStore,
        client: GuardedClient,
        *,
        base_url: str,
        operator: Destination | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Clock = time.time,
    ) -> None:
        """`operator`: where its notices go, be that private or http; where owners' go is always public."""
        self.store = store
        self._client = client
        self._base_url = base_url
        self._operator = operator
        self._timeout_s = timeout_s
        self._clock = clock
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._has_ended = asyncio.Event()

    async def set_webhook(self, account_id: str, url: str) -> NewFailureWebhook:
        """With a new secret. Raises DownloadBlocked for an address that no notice would be sent to."""
        check_address(read_address(url), None, NOWHERE)
        return await self.store.set_webhook(account_id, url, new_webhook_secret())

    async def begin(self) -> None:
        """A worker's first step, and again each hour. Raises Unavailable.

        From now on failures are written down for the operator, if this worker has an address. A worker without one
        takes nothing away: others may have it.
        """
        if self._operator is not None:
            await self.store.want_operator()
        elif await self.store.forget_operator():
            log.warning("notices.operator_forgotten", reason=f"Nobody had EASEL_NOTICE_URL for {FORGOTTEN_AFTER}.")
        elif await self.store.has_operator():
            log.warning("notices.not_sent_from_here", reason="Others know EASEL_NOTICE_URL; this worker does not.")

    async def send(self, tasks: asyncio.TaskGroup) -> int:
        """Begins to send what is due, as far as there is room: each in a task of its own, so that none waits for
        another (NO5). Answers how many. Raises Unavailable.
        """
        self._has_ended.clear()
        busy = list(self._under_way.values())
        due = await self.store.take_due(LEASE_S, with_operators=self._operator is not None, busy=busy)
        for notice in due:
            task = tasks.create_task(self._send(notice))
            self._under_way[task] = notice.webhook_id
            task.add_done_callback(self._end)
        return len(due)

    async def until_one_ends(self, seconds: float) -> None:
        """One that the last `send` saw under way, or has begun; no longer than `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_ended.wait()

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._has_ended.set()

    async def _send(self, notice: DueNotice) -> None:
        try:
            await self._deliver(notice)
        except Unavailable as error:  # how it went is not written down: it is due again when the lease ends
            log.warning("notices.wait", reason=error.detail)

    async def _deliver(self, notice: DueNotice) -> None:
        """Raises Unavailable."""
        to = "operator" if notice.webhook_id == OPERATOR else "owner"
        facts = {"notice": notice.id, "run": notice.run.id, "to": to, "attempt": notice.attempts}
        try:
            try:
                await self._attempt(notice)
            except (Refusal, Unavailable):
                raise
            except Exception as error:  # one of the loops that must not die: the trace is kept, the notice tried again
                log.exception("notice.crashed", **facts)
                raise Refusal("Something went wrong inside Easel; the worker's log has the details.") from error
        except Refusal as refusal:
            pause_s = None if refusal.is_final else next_pause_s(notice.attempts, refusal.asked_s)
            if pause_s is None:
                NOTICES.labels(to, "dead").inc()
                log.warning("notice.given_up", **facts, reason=refusal.reason)
                await self.store.give_up(notice, refusal.reason)
            else:
                NOTICES.labels(to, "failed").inc()
                log.warning("notice.put_off", **facts, seconds=pause_s, reason=refusal.reason)
                await self.store.put_off(notice, pause_s, refusal.reason)
        else:
            NOTICES.labels(to, "delivered").inc()
            log.info("notice.delivered", **facts)
            await self.store.delivered(notice)

    async def _attempt(self, notice: DueNotice) -> None:
        """Raises Refusal."""
        destination = self._destination(notice)
        body = body_of(
            notice.run,
            is_dead=notice.is_dead,
            workflow_name=notice.workflow_name,
            at=notice.created_at.astimezone(UTC),
            base_url=self._base_url,
        )
        (key, *_) = keys_of(destination.secrets)
        is_ours = notice.webhook_id == OPERATOR
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._post(destination.url, is_ours, sign(key, notice.id, body, self._clock()), body)
        except TimeoutError as error:
            raise Refusal(f"No answer within {self._timeout_s:g} s.") from error
        except (DownloadBlocked, DownloadFailed) as error:
            raise Refusal(error.detail) from error
        if not 200 <= reply.status < 300:
            said = f"It answered {reply.status}."
            raise Refusal(said, asked_s=reply.retry_after_s, is_final=reply.status == GONE)

    def _destination(self, notice: DueNotice) -> Destination:
        if notice.url is not None and notice.secret is not None:
            return Destination(notice.url, notice.secret)
        assert self._operator is not None, "only who has the address takes the operator's"
        return self._operator

    async def _post(self, url: str, is_ours: bool, signature: dict[str, str], body: bytes) -> Reply:
        """Only the operator's own address may be private, or http. Raises DownloadBlocked, DownloadFailed."""
        address = read_address(url)
        exempt = frozenset({address.place}) if is_ours else NOWHERE
        check_address(address, None, exempt)
        headers = {
            "User-Agent": "easel",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        async with self._client.send(
            "POST",
            address,
            exempt=exempt,
            headers=headers | signature,
            silence_s=self._timeout_s,
            content=body,
        ) as response:
            size_bytes = 0
            async for piece in response.aiter_raw():
                if (size_bytes := size_bytes + len(piece)) > MAX_ANSWER_BYTES:
                    break
            names = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, names, b"")


def new_webhook_secret() -> str:
    """As Standard Webhooks writes them: `whsec_` and the base64 of 24 to 64 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def keep_sending(notices: Notices) -> None:
    """Until cancelled. Every worker does it: what one is sending is not due for another."""
    asked_at = time.monotonic()  # by its worker's first step
    async with asyncio.TaskGroup() as tasks:
        while True:
            try:
                if time.monotonic() - asked_at > BEGIN_EVERY_S:
                    await notices.begin()
                    asked_at = time.monotonic()
                await notices.send(tasks)
            except Unavailable as error:
                log.warning("notices.wait", reason=error.detail)
            await notices.until_one_ends(SEND_EVERY_S)
