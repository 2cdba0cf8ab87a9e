"""Sends a run's orders to its provider, each at most once (JB25), and brings back what came of them.

What is stored of an order decides what happens next, so that whoever carries the run on after a crash does the same as
whoever began: nothing stored: send; `sending`: ask the provider what became of it; `accepted`: wait; `answered`: fetch;
`kept`: done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from canvas.errors import Unavailable
from canvas.relay.port import Relay
from jobs.call import (
    Answered,
    Call,
    CallState,
    Failed,
    Made,
    MadePicture,
    Outcome,
    Part,
    Waits,
    is_to_be_sent,
    may_repeat,
    order_id,
    paused,
)
from jobs.drain import Drain
from jobs.errors import (
    Charged,
    DownloadFailed,
    JobError,
    NoImageReturned,
    OutcomeUnknown,
    PollTimeout,
    ProviderUnavailable,
    RateLimited,
)
from jobs.gate.port import Gate
from jobs.job import Job
from jobs.keeper import Keeper
from jobs.metrics import COST_USD, POLL_TIMEOUTS, STAGE_SECONDS, call_ended, stage
from jobs.patience import Patience, Sleep, patiently
from jobs.providers.port import Answer, Order, Ticket
from jobs.run import Failure
from jobs.store.calls import CallStore, Sending
from jobs.webhooks.addresses import Addresses

SIDE_BY_SIDE = 4  # orders of one run that are under way at a time
HOLD_EVERY_S = 20.0  # a place at the gate lasts a minute
STORE_PAUSES_S = (0.2, 0.5, 1.0, *[2.0] * 10)  # longer than a lease: that ends it (JB6)

log = structlog.get_logger(__name__)

T = TypeVar("T")

At = Callable[[str], Awaitable[None]]
"""Called at each point where a crash would leave something different behind; tests stop a worker there."""


async def go_on(point: str) -> None:
    """In production nothing happens between two steps."""


class Calls:
    def __init__(
        self,
        store: CallStore,
        relay: Relay,
        gate: Gate,
        keeper: Keeper,
        addresses: Addresses,
        patience: Patience,
        at: At = go_on,
        drain: Drain | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.store = store
        self.relay = relay
        self.gate = gate
        self.keeper = keeper
        self.addresses = addresses
        self.patience = patience
        self.at = at
        self.drain = drain or Drain()
        self.sleep = sleep

    async def make(self, job: Job) -> list[Outcome]:
        """What came of each of the run's orders, in their order. One that fails costs the others nothing.

        Raises LeaseLost, Unavailable; then, and when it is cancelled, nothing of it goes on.
        """
        found = await self.store.of_run(job.run)
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def carry(part: Part) -> Outcome:
            async with places:
                return await Errand(self, job, part, found.get(part.number)).carry()

        forget = await self.relay.subscribe(job.run.workflow_id, job.hear)
        tasks = [asyncio.create_task(carry(part)) for part in job.parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            forget()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        return [task.result() for task in tasks]

    async def keep_places(self, job: Job) -> None:
        """Until cancelled: a place at the gate ends by itself, for the case that its worker has."""
        while True:
            await asyncio.sleep(HOLD_EVERY_S)
            for order in tuple(job.under_way):
                await self.gate.hold(job.provider.credential, order)


class Errand:
    """One order on its way. `call` is what is stored of it."""

    def __init__(self, calls: Calls, job: Job, part: Part, call: Call | None) -> None:
        self._calls = calls
        self._store = calls.store
        self._gate = calls.gate
        self._job = job
        self._part = part
        self._call = None if is_to_be_sent(call, job.run) else call
        self._was_left = self._call is not None
        """Whoever had it before may be dead, and its place at the gate with it."""
        self._id = self._call.id if self._call else order_id(job.run, job.run.attempt, part.number)
        self._began = time.monotonic() - (self._call.age_s if self._call else 0.0)
        """When it was sent."""
        self._has_answer = False
        self._is_fresh = False
        """Whether the addresses of the pictures have been asked for once more."""

    async def carry(self) -> Outcome:
        left_s = self._calls.patience.deadline_s - (self._call.age_s if self._call else 0.0)
        try:
            async with asyncio.timeout(max(0.0, left_s)) as deadline:
                return await self._go_on()
        except TimeoutError as error:
            if not deadline.expired():
                raise
            return await self._failed(self._too_late(error))
        except JobError as error:
            return await self._failed(error)
        finally:
            if self._id in self._job.under_way or self._was_left:
                self._job.under_way.discard(self._id)
                await self._gate.leave(self._job.provider.credential, self._id)

    async def _go_on(self) -> Outcome:
        call = self._call
        if call is None:
            return await self._send()
        match call.state:
            case "sending":
                return await self._recover()
            case "accepted":
                return await self._follow(call)
            case "answered":
                return await self._keep(call, _answer_of(call))
            case "kept":
                assert call.answer is not None
                return Made(call.answer.kept, call.answer.notes)
            case "failed" | "unknown" | "cancelled":
                assert call.failure is not None
                return Failed(call.failure, may_repeat(call.failure))

    # Sending

    async def _send(self) -> Outcome:
        job = self._job
        if (waits := await self._enter()) is not None:
            return waits
        estimate_usd = job.provider.plan(job.model, self._part.prompt).estimate_usd
        sending = Sending(self._id, self._part, job.model, job.provider.credential, estimate_usd)
        delivery = self._deliver(sending)
        came = await (self._calls.drain.whole(delivery) if job.provider.is_paid else delivery)
        return await self._follow(came) if isinstance(came, Call) else came

    async def _deliver(self, sending: Sending) -> Call | Outcome:
        """From when it is stored that it leaves until what came back is stored: the accepted order, or its outcome."""
        try:
            return await self._exchange(sending)
        except JobError as error:
            return await self._failed(error)

    async def _exchange(self, sending: Sending) -> Call | Outcome:
        job = self._job
        call = self._call = await self._store.send(job.run, sending)
        self._began = time.monotonic()
        await self._calls.at("intended")
        try:
            reply = await job.provider.submit(self._order(call))
        except RateLimited as error:
            waits = await self._asked_to_wait(error)
            await self._surely(lambda: self._store.withdraw(job.run, call, waits.message))
            return waits
        except OutcomeUnknown as error:
            found = await self._find(call)
            if isinstance(found, Waits):
                return found
            if found is None:
                raise ProviderUnavailable(f"{job.name} did not get the order.", said=error.said) from error
            reply = found
        await self._calls.at("sent")
        return await self._accepted(call, reply) if isinstance(reply, Ticket) else await self._keep(call, reply)

    async def _enter(self) -> Waits | None:
        credential = self._job.provider.credential
        if (code := await self._gate.paused(credential)) is not None:
            raise paused(code, self._job.name)
        wait_s = await self._gate.enter(credential, self._job.provider.limits, self._id)
        if wait_s > 0:
            return Waits(wait_s, f"In line for {self._job.name}")
        self._job.under_way.add(self._id)
        return None

    async def _recover(self) -> Outcome:
        """It left, perhaps. Only what costs nothing, or surely did not arrive, is sent once more."""
        assert self._call is not None
        found = await self._find(self._call)
        if isinstance(found, Waits):
            return found
        return await self._send() if found is None else await self._follow(await self._accepted(self._call, found))

    async def _find(self, call: Call) -> Ticket | Waits | None:
        """Raises OutcomeUnknown. A provider that cannot be asked now is asked later, and until then nothing is sent."""
        try:
            return await self._job.provider.find(self._order(call))
        except OutcomeUnknown:
            if self._job.provider.is_paid:
                raise
            return None
        except JobError as error:
            unknown = OutcomeUnknown(
                f"{self._job.name} cannot say what became of the order. It may have been charged; run it again if not.",
                said=error.said,
            )
            return await self._asked_to_wait(error, or_else=unknown)

    async def _accepted(self, call: Call, ticket: Ticket) -> Call:
        call = self._call = await self._surely(lambda: self._store.accepted(self._job.run, call, ticket))
        await self._calls.at("accepted")
        return call

    async def _follow(self, call: Call) -> Outcome:
        assert call.ticket is not None
        if self._id not in self._job.under_way:
            self._job.under_way.add(self._id)
            await self._gate.hold(self._job.provider.credential, self._id)
        try:
            answer = await self._job.provider.follow(call.ticket, self._order(call))
        except JobError as error:
            if error.retryable or isinstance(error, RateLimited):  # it is accepted: it can only be looked for again
                return await self._asked_to_wait(error)
            raise
        return await self._keep(call, answer)

    # Keeping

    async def _keep(self, call: Call, answer: Answer) -> Outcome:
        job = self._job
        self._came()
        if not answer.pictures:
            raise NoImageReturned(f"{job.name} sent no picture. Change the prompt a little.")
        cost_usd = answer.cost_usd if job.provider.is_paid else 0.0
        stored = Answered(request_id=answer.request_id, notes=answer.notes)
        if all(picture.content is None for picture in answer.pictures):
            stored = msgspec.structs.replace(stored, urls=answer.pictures)
            call = self._call = await self._surely(lambda: self._store.answered(job.run, call, stored, cost_usd))
            await self._calls.at("answered")
        else:
            await self._surely(lambda: self._store.check_held(job.run))
        with stage("upload"):
            made, failures = await self._fetch(answer)
        if call.ticket is not None and not self._is_fresh and _has_expired(failures):
            self._is_fresh = True
            return await self._follow(call)
        if not made:
            raise failures[0]
        await self._surely(lambda: self._store.kept(job.run, call, stored, made, cost_usd))
        log.info("order.kept", order=self._id, model=job.model_label, pictures=len(made), cost_usd=cost_usd)
        if cost_usd:
            COST_USD.labels(job.provider.id, job.model_label).inc(cost_usd)
        await self._calls.at("kept")
        return Made(tuple(made), (*answer.notes, *(error.detail for error in failures)))

    def _came(self) -> None:
        """There is an answer; one that is fetched a second time is counted once."""
        if not self._has_answer:
            seconds = time.monotonic() - self._began
            STAGE_SECONDS.labels("generation").observe(seconds)
            call_ended(self._job.provider.id, self._job.model_label, "answered", seconds)
            log.info("order.answered", order=self._id, provider=self._job.provider.id, seconds=round(seconds, 3))
        self._has_answer = True

    async def _fetch(self, answer: Answer) -> tuple[list[MadePicture], list[JobError]]:
        job, keeper = self._job, self._calls.keeper
        made: list[MadePicture] = []
        failures: list[JobError] = []
        for place, picture in enumerate(answer.pictures):
            try:
                made += await keeper.keep(job.run, self._part.number, place, picture, job.provider)
            except JobError as error:
                failures.append(error)
        return made, failures

    # When it does not go well

    async def _asked_to_wait(self, error: JobError, or_else: JobError | None = None) -> Waits:
        job = self._job
        seconds = error.retry_after_s or job.provider.limits.penalty_s
        if isinstance(error, RateLimited):
            self._count(error)
            await self._gate.penalise(job.provider.credential, seconds)
        failure = Failure.of(or_else or error, job.provider.id)
        return Waits(seconds, f"Waiting for {job.name}, about {seconds:.0f} s", failure)

    async def _failed(self, error: JobError) -> Failed:
        job, call = self._job, self._call
        if error.pauses_credential:
            await self._gate.pause(job.provider.credential, job.provider.id, error.code)
        if call is not None and not self._has_answer:
            self._count(error)
        failure = Failure.of(error, job.provider.id, self._charged(error))
        repeats = may_repeat(failure) and not self._has_answer
        if call is None or isinstance(error, PollTimeout):  # the latter stays open: the provider is still to be told
            return Failed(failure, repeats)
        state: CallState = "unknown" if isinstance(error, OutcomeUnknown) else "failed"
        await self._surely(lambda: self._store.failed(job.run, call, failure, state))
        return Failed(failure, repeats)

    def _count(self, error: JobError) -> None:
        provider = self._job.provider.id
        seconds = time.monotonic() - self._began
        call_ended(provider, self._job.model_label, error.code, seconds)
        if isinstance(error, PollTimeout):
            POLL_TIMEOUTS.labels(provider).inc()

    async def _surely(self, write: Callable[[], Awaitable[T]]) -> T:
        """What a provider has said is in this process alone until it is stored, and nobody could ask for it again."""
        return await patiently(write, lambda error: isinstance(error, Unavailable), STORE_PAUSES_S, self._calls.sleep)

    def _charged(self, error: JobError) -> Charged:
        if not self._job.provider.is_paid:
            return "no"
        return "yes" if self._has_answer and error.charged == "no" else error.charged

    def _too_late(self, cause: TimeoutError) -> JobError:
        minutes = self._calls.patience.deadline_s / 60
        if self._has_answer:
            error: JobError = DownloadFailed(f"The pictures could not be fetched within {minutes:g} minutes.")
        elif self._call is not None and self._call.state == "sending" and self._job.provider.is_paid:
            error = OutcomeUnknown(
                f"{self._job.name} gave no answer within {minutes:g} minutes. It may have been charged."
            )
        else:
            detail = f"{self._job.name} was not done within {minutes:g} minutes. Run it again later."
            error = PollTimeout(detail, charged="unknown")
        error.__cause__ = cause
        return error

    def _order(self, call: Call) -> Order:
        job, run = self._job, self._job.run
        return Order(
            id=call.id,
            model=job.model,
            prompt=self._part.prompt,
            report=job.report_of(self._part),
            woken=job.woken_of(call.id),
            source=job.source,
            webhook_url=self._calls.addresses.of(
                job.provider.id, call.id, run.payload.salt, moved_to=run.request.webhook_url
            ),
            job_id=call.job_id,
        )


def _has_expired(failures: list[JobError]) -> bool:
    return any(error.code == "OUTPUT_EXPIRED" for error in failures)


def _answer_of(call: Call) -> Answer:
    assert call.answer is not None
    return Answer(call.answer.urls, request_id=call.answer.request_id, notes=call.answer.notes)
