"""Carries one run from its bell to its end: claim, generate, check, keep, complete. The rules are in SPEC.md."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

import msgspec
import structlog

from canvas.errors import EaselError, Unavailable
from canvas.relay.port import CancelHint, Hint, Relay
from jobs.errors import Cancelled, JobError, LeaseLost, ProviderFailed, StorageFailed
from jobs.images.decode import Facts
from jobs.images.variants import Variant
from jobs.lease import Guard
from jobs.objects.port import ObjectStore
from jobs.progress import Previews, Reporter
from jobs.providers.port import Picture
from jobs.providers.registry import Registry
from jobs.renders import KeptObject, KeptPicture, object_key
from jobs.run import Failure, Run
from jobs.store.runs import Claim, RunStore

log = structlog.get_logger(__name__)

LEASE_S = 15.0
DEADLINE_S = 30 * 60.0  # the slowest provider's queue; past it nobody is waiting any more
MAX_CLAIMS = 20  # a run that takes its worker down with it must not take down every worker for ever
STORE_DELAYS_S = (0.2, 0.5, 1.0, 2.0)  # between five tries; together well within a lease

Sleep = Callable[[float], Awaitable[None]]


class Pictures(Protocol):
    """`jobs.images.sandbox.PictureWorkers`."""

    async def inspect(self, content: bytes) -> Facts: ...

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]: ...


class Runner:
    """`worker` names this process in the run's row. `carry` is what the queue calls."""

    def __init__(
        self,
        store: RunStore,
        relay: Relay,
        *,
        registry: Registry,
        pictures: Pictures,
        objects: ObjectStore,
        previews: Previews,
        worker: str,
        lease_s: float = LEASE_S,
        deadline_s: float = DEADLINE_S,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._registry = registry
        self._pictures = pictures
        self._objects = objects
        self._relay = relay
        self._previews = previews
        self._worker = worker
        self._lease_s = lease_s
        self._deadline_s = deadline_s
        self._sleep = sleep

    async def carry(self, run_id: str) -> None:
        """Never raises but CancelledError, and then the lease has been given back."""
        with structlog.contextvars.bound_contextvars(run=run_id):
            try:
                claim = await self._store.claim(run_id, self._worker, self._lease_s)
                if claim is not None:
                    await self._carry(claim)
            except LeaseLost:
                log.info("run.lease_lost")
            except Unavailable as error:  # the lease runs out, and whoever reaches the database first goes on
                log.warning("run.left", reason=error.detail)

    async def _carry(self, claim: Claim) -> None:
        run = claim.run
        log.info("run.claimed", attempt=run.attempt, fence=run.fence, takeover=claim.is_takeover)
        try:
            pictures = await self._make(claim)
            await self._patiently(lambda: self._store.complete(run, pictures), Unavailable)
            log.info("run.completed", pictures=len(pictures))
        except asyncio.CancelledError:  # the process stops
            await self._store.release(run)
            raise
        except Cancelled:
            await self._patiently(lambda: self._store.end_cancelled(run), Unavailable)
            log.info("run.cancelled")
        except JobError as error:
            failure = Failure.of(error)
            await self._patiently(lambda: self._store.fail(run, failure), Unavailable)
            log.info("run.failed", code=error.code, detail=error.detail)
        except (LeaseLost, Unavailable):
            raise
        except Exception:  # one of the loops that must not die: the run ends, the trace is kept
            log.exception("run.crashed")
            await self._store.fail(run, _INTERNAL)

    async def _make(self, claim: Claim) -> list[KeptPicture]:
        """Under the lease: everything that takes time. Raises Cancelled, LeaseLost, JobError."""
        run = claim.run
        if run.cancel_requested:
            raise Cancelled("Cancelled")
        if run.fence > MAX_CLAIMS:
            raise ProviderFailed(f"This run stopped {MAX_CLAIMS} workers. Start it again with another prompt or size.")
        async with Guard() as guard:
            reporter = Reporter(run, self._relay, self._previews, self._store.keep_progress)
            for watcher in (self._hold_lease(run), reporter.show.run(), reporter.store.run()):
                guard.beside(watcher)
            pictures = await self._generate(run, reporter)
            return [await self._keep(claim, number, picture) for number, picture in enumerate(pictures)]

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
                if await self._store.heartbeat(run, self._lease_s):
                    raise Cancelled("Cancelled")
                held_until = sent_at + self._lease_s
            except Unavailable:
                if clock() >= held_until:  # somebody else may hold it by now
                    raise LeaseLost from None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease_s / 3):
                    await asked.wait()

    async def _generate(self, run: Run, reporter: Reporter) -> list[Picture]:
        provider = self._registry.get(run.request.provider)
        model = self._registry.model(run.request.provider, run.model)
        prompt = run.request.prompt_spec
        if prompt.seed is None and run.payload.seed is not None:
            prompt = msgspec.structs.replace(prompt, seed=run.payload.seed)
        try:
            async with asyncio.timeout(self._deadline_s) as deadline:
                pictures = await provider.generate(model, prompt, reporter)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise ProviderFailed(
                f"{model.label} gave no answer within {self._deadline_s / 60:g} minutes. Run it again later.",
                code="PROVIDER_TIMEOUT",
                charged="unknown",
            ) from error
        if not pictures:
            raise ProviderFailed(
                f"{model.label} made no picture. Change the prompt a little.", code="NO_IMAGE_RETURNED"
            )
        if len(pictures) < prompt.n:
            await self._store.note(run, f"{len(pictures)} of {prompt.n} pictures were made", {"code": "PARTIAL_RESULT"})
        return pictures

    async def _keep(self, claim: Claim, number: int, picture: Picture) -> KeptPicture:
        """Original and variants into the object store. Raises ImageInvalid, StorageFailed."""
        run, content = claim.run, picture.content
        facts = await self._pictures.inspect(content)
        variants = await self._pictures.variants(content, claim.account_name, generated=True)
        sha256 = bytes.fromhex(facts.sha256)
        original = KeptObject(
            key=object_key(run, number, "original", sha256, facts.content_type),
            content_type=facts.content_type,
            size_bytes=len(content),
            sha256=sha256,
            width_px=facts.width_px,
            height_px=facts.height_px,
        )
        kept = {variant.kind: _variant_object(run, number, variant) for variant in variants}
        contents = [(original, content), *((kept[variant.kind], variant.content) for variant in variants)]
        for stored, its_content in contents:
            put = partial(self._objects.put, stored.key, its_content, stored.content_type)
            await self._patiently(put, StorageFailed)
        return KeptPicture(original, kept, picture.seed)

    async def _patiently(self, act: Callable[[], Awaitable[None]], passing: type[EaselError]) -> None:
        """Five tries, for what may be repeated (JB17): a picture that was made must not be lost to a hiccup."""
        for delay_s in STORE_DELAYS_S:
            try:
                return await act()
            except passing as error:
                log.warning("run.tries_again", reason=error.detail, cause=repr(error.__cause__))
            await self._sleep(delay_s)
        return await act()


def _variant_object(run: Run, number: int, variant: Variant) -> KeptObject:
    sha256 = hashlib.sha256(variant.content).digest()
    return KeptObject(
        key=object_key(run, number, variant.kind, sha256, variant.content_type),
        content_type=variant.content_type,
        size_bytes=len(variant.content),
        sha256=sha256,
        width_px=variant.width_px,
        height_px=variant.height_px,
    )


_INTERNAL = Failure(
    code="INTERNAL",
    detail="Something went wrong inside Easel. Run it again; the details are in the worker's log.",
    retryable=False,
    charged="unknown",
)
