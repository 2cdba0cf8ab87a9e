"""Carries one run from its bell to its end: claim, call, keep, complete, or wait for another turn. Rules: SPEC.md."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import structlog

from canvas.errors import Unavailable
from canvas.relay.port import CancelHint, Hint, Relay
from jobs.call import Failed, Made, MadePicture, Outcome, Waits
from jobs.calls import Calls
from jobs.errors import Cancelled, JobError, LeaseLost, ProviderFailed
from jobs.job import Job
from jobs.keeper import Keeper
from jobs.lease import Guard
from jobs.metrics import stage
from jobs.patience import Patience, Sleep, patiently
from jobs.progress import Previews, Reporter
from jobs.providers.registry import Registry
from jobs.renders import KeptPicture
from jobs.run import Failure, Run
from jobs.sources import Sources
from jobs.store.claims import Claim, Claims
from jobs.tracing import Span, span

log = structlog.get_logger(__name__)

LEASE_S = 15.0
MAX_TAKEOVERS = 20  # a run that takes its worker down with it must not take down every worker for ever
END_PAUSES_S = (0.2, 0.5, 1.0, 2.0)  # together well within a lease, after which another worker tries


class Later(NamedTuple):
    """The run goes back into the line."""

    seconds: float
    message: str
    asked_s: float = 0.0
    """How much of it the provider asked for."""
    failure: Failure | None = None
    """What went wrong in an attempt that is used up; None: none is."""


Decision = list[MadePicture] | Later | Failure


class Runner:
    """`worker` names this process in the run's row. `carry` is what the queue calls."""

    def __init__(
        self,
        claims: Claims,
        relay: Relay,
        *,
        registry: Registry,
        calls: Calls,
        keeper: Keeper,
        sources: Sources,
        previews: Previews,
        worker: str,
        lease_s: float = LEASE_S,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._claims = claims
        self._relay = relay
        self._registry = registry
        self._calls = calls
        self._keeper = keeper
        self._sources = sources
        self._previews = previews
        self._worker = worker
        self._lease_s = lease_s
        self._patience = patience or Patience()
        self._sleep = sleep

    async def carry(self, rung_for: str) -> bool:
        """The run whose turn it is; whether there was one. Raises CancelledError alone, the lease then given back."""
        try:
            claim = await self._claims.claim(self._worker, self._lease_s, self._registry.places())
        except Unavailable as error:
            log.warning("runs.unreachable", reason=error.detail)
            return False
        if claim is None:
            return False
        run = claim.run
        with (
            structlog.contextvars.bound_contextvars(
                run=run.id, workflow=run.workflow_id, account=run.account_id, rung_for=rung_for
            ),
            span(
                "run",
                kind="consumer",
                parent=run.payload.trace,
                run=run.id,
                workflow=run.workflow_id,
                provider=run.request.provider,
                model=run.model,
                attempt=run.attempt,
            ) as this,
        ):
            try:
                await self._carry(claim, this)
            except LeaseLost:
                log.info("run.lease_lost")
            except Unavailable as error:  # the lease runs out, and whoever reaches the database first goes on
                log.warning("run.left", reason=error.detail)
        return True

    async def _carry(self, claim: Claim, this: Span) -> None:
        run = claim.run
        log.info("run.claimed", attempt=run.attempt, fence=run.fence, takeover=claim.is_takeover)
        await self._calls.at("claimed")
        try:
            decision = await self._make(claim)
            if isinstance(decision, Failure):
                this.fail(decision.code)
            await self._end(run, decision)
        except asyncio.CancelledError:  # the process stops
            await self._claims.release(run)
            raise
        except Cancelled:
            await self._surely(lambda: self._claims.end_cancelled(run))
            log.info("run.cancelled")
        except JobError as error:
            this.fail(error.code)
            await self._fail(run, Failure.of(error, run.request.provider))
        except (LeaseLost, Unavailable):
            raise
        except Exception:  # one of the loops that must not die: the run ends, the trace is kept
            log.exception("run.crashed")
            await self._claims.fail(run, _INTERNAL)

    async def _make(self, claim: Claim) -> list[KeptPicture] | Later | Failure:
        """Under the lease: everything that takes time. Raises Cancelled, LeaseLost, JobError."""
        run = claim.run
        if run.cancel_requested:
            raise Cancelled("Cancelled")
        if run.takeovers > MAX_TAKEOVERS:
            raise ProviderFailed(
                f"This run stopped {MAX_TAKEOVERS} workers. Start it again with another prompt or size."
            )
        provider = self._registry.get(run.request.provider)
        model = self._registry.model(run.request.provider, run.model)
        async with Guard() as guard:
            reporter = Reporter(run, self._relay, self._previews, self._claims.keep_progress)
            for watcher in (self._hold_lease(run), reporter.show.run(), reporter.store.run()):
                guard.beside(watcher)
            job = Job(run, provider, model, reporter, await self._sources.load(run))
            guard.beside(self._calls.keep_places(job))
            outcomes = await self._calls.make(job)
            decision = self._decide(run, outcomes)
            if not isinstance(decision, list):
                return decision
            await self._tell_what_is_missing(run, decision, outcomes)
            return [await self._finish(claim, made) for made in decision]

    def _decide(self, run: Run, outcomes: list[Outcome]) -> Decision:
        """Waiting comes first, then another attempt, then what there is: nothing that may still come is given up."""
        waits = [outcome for outcome in outcomes if isinstance(outcome, Waits)]
        failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Failed)]
        too_long = [wait.or_else for wait in waits if wait.or_else and not self._has_patience(run, wait)]
        if waits and not too_long:
            longest = max(waits, key=lambda wait: wait.seconds)
            return Later(longest.seconds, longest.message, asked_s=longest.seconds if longest.or_else else 0.0)
        repeats = [outcome.failure for outcome in outcomes if isinstance(outcome, Failed) and outcome.may_repeat]
        if repeats and run.attempt < self._patience.calls:
            return self._next_attempt(run, repeats[0])
        made = [picture for outcome in outcomes if isinstance(outcome, Made) for picture in outcome.pictures]
        return made or max((*too_long, *failures), key=_weight)

    def _has_patience(self, run: Run, wait: Waits) -> bool:
        return run.waited_s + wait.seconds <= self._patience.rate_limit_s

    def _next_attempt(self, run: Run, failure: Failure) -> Later:
        seconds = failure.retry_after_s or self._patience.pause_s(run.attempt)
        next_try = f"next try in {seconds:.0f} s ({run.attempt + 1} of {self._patience.calls})"
        return Later(seconds, f"{failure.detail.rstrip('.')}; {next_try}", failure=failure)

    async def _tell_what_is_missing(self, run: Run, made: list[MadePicture], outcomes: list[Outcome]) -> None:
        asked_for = run.request.prompt_spec.n
        if len(made) >= asked_for:
            return
        reasons = [outcome.failure.detail for outcome in outcomes if isinstance(outcome, Failed)]
        reasons += [note for outcome in outcomes if isinstance(outcome, Made) for note in outcome.notes]
        message = f"{len(made)} of {asked_for} pictures were made"
        await self._claims.note(run, message, {"code": "PARTIAL_RESULT", "reasons": reasons})

    async def _finish(self, claim: Claim, made: MadePicture) -> KeptPicture:
        with stage("variants"):
            picture, error = await self._keeper.finish_or_bare(claim.run, made, claim.account_name)
        if error is not None:
            await self._claims.note(claim.run, error.detail, {"code": "VARIANT_FAILED"})
        return picture

    async def _end(self, run: Run, decision: list[KeptPicture] | Later | Failure) -> None:
        match decision:
            case Later(seconds, message, asked_s, failure):
                uses_attempt = failure is not None
                await self._surely(
                    lambda: self._claims.put_off(run, seconds, message, uses_attempt=uses_attempt, asked_s=asked_s)
                )
                log.info("run.put_off", seconds=round(seconds, 1), reason=message)
            case Failure():
                await self._fail(run, decision)
            case pictures:
                await self._calls.at("stored")
                with stage("node"):
                    await self._surely(lambda: self._claims.complete(run, pictures))
                log.info("run.completed", pictures=len(pictures))
                await self._calls.at("completed")

    async def _fail(self, run: Run, failure: Failure) -> None:
        # Retryable, and yet here: its attempts are used up.
        is_dead = failure.retryable or failure.code in _DEAD
        await self._surely(lambda: self._claims.fail(run, failure, is_dead=is_dead))
        log.info("run.failed", code=failure.code, detail=failure.detail)

    async def _surely(self, write: Callable[[], Awaitable[None]]) -> None:
        await patiently(write, lambda error: isinstance(error, Unavailable), END_PAUSES_S, self._sleep)

    async def _hold_lease(self, run: Run) -> None:
        """Heartbeats, one at once when a hint says that somebody cancelled; the row and not the hint is believed."""
        asked = asyncio.Event()

        def hear(hint: Hint) -> None:
            if isinstance(hint, CancelHint) and hint.run_id == run.id:
                asked.set()

        forget = await self._relay.subscribe(run.workflow_id, hear)
        try:
            await self._beat(run, asked)
        finally:
            forget()

    async def _beat(self, run: Run, asked: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        held_until = clock() + self._lease_s
        while True:
            asked.clear()
            try:
                sent_at = clock()
                if await self._claims.heartbeat(run, self._lease_s):
                    raise Cancelled("Cancelled")
                held_until = sent_at + self._lease_s
            except Unavailable:
                if clock() >= held_until:  # somebody else may hold it by now
                    raise LeaseLost from None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease_s / 3):
                    await asked.wait()


def _weight(failure: Failure) -> int:
    """Of several reasons the one to tell: what may have cost money before what did not."""
    return {"yes": 2, "unknown": 1, "no": 0}[failure.charged]


_DEAD = frozenset({"OUTCOME_UNKNOWN", "POLL_TIMEOUT", "PROVIDER_RATE_LIMITED", "PROVIDER_AUTH", "PROVIDER_QUOTA"})
_INTERNAL = Failure(
    code="INTERNAL",
    detail="Something went wrong inside Easel. Run it again; the details are in the worker's log.",
    retryable=False,
    charged="unknown",
)
