"""arq, the doorbell (D7): it tells a worker that a run waits, and knows nothing else. The only file that imports arq.

What arq does to those who trust it with more (starvation, stalls after kill -9, lost retries) and how each is met here:
JB11-JB15 in SPEC.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import RedisError

from canvas.errors import Unavailable
from jobs.store.bells import Bell

log = structlog.get_logger(__name__)

QUEUE = "easel:runs"
HEALTH_KEY = "easel:runs:worker-alive"
HEALTH_EVERY_S = 5
FUNCTION = "carry"
POLL_EVERY_S = 0.05  # a bell is answered 31 ms after it rings on average, for under 2 % of a core
RECONNECT_S = 0.5
# Deadlines are the runner's. Passing this one cancels the worker's patience, never the run (see `_Answering.answer`).
JOB_TIMEOUT_S = 24 * 3600

Carry = Callable[[str], Awaitable[bool]]
"""Carry the run whose turn it is; whether there was one. A bell says that something waits: it may be another's turn."""


class ArqDoorbell:
    def __init__(self, redis: Redis) -> None:
        self._arq = _arq(redis)

    async def ring(self, bells: list[Bell]) -> None:
        """All of them in one round trip, as `enqueue_job` writes them (which takes two for each).

        It also looks whether the job is there already; here the same bell twice is the same entry, in its first place.
        """
        now_ms = int(time.time() * 1000)
        try:
            async with self._arq.pipeline(transaction=True) as pipe:
                for bell in bells:
                    job_id, args = _job_id(bell), (bell.run_id,)
                    job = serialize_job(FUNCTION, args, {}, None, now_ms, serializer=self._arq.job_serializer)
                    pipe.set(job_key_prefix + job_id, job, px=self._arq.expires_extra_ms)
                    pipe.zadd(QUEUE, {job_id: now_ms}, nx=True)
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise _away() from error

    async def hanging(self, bells: list[Bell]) -> set[Bell]:
        """In the queue and not in progress. One in progress was taken, perhaps by a worker that is dead now."""
        try:
            async with self._arq.pipeline(transaction=False) as pipe:
                for bell in bells:
                    pipe.zscore(QUEUE, _job_id(bell))
                    pipe.exists(in_progress_key_prefix + _job_id(bell))
                answers = await pipe.execute()
        except (RedisError, OSError) as error:
            raise _away() from error
        pairs = zip(bells, answers[::2], answers[1::2], strict=True)
        return {bell for bell, score, is_taken in pairs if score is not None and not is_taken}


async def workers_alive(redis: Redis) -> bool:
    """Whether any worker has polled the queue within the last seconds. Raises RedisError when Redis is away."""
    return bool(await redis.exists(HEALTH_KEY))


async def answer_bells(
    redis: Redis, carry: Carry, *, concurrency: int, stopping: asyncio.Event, grace_s: float = 1.0
) -> None:
    """Carry runs, `concurrency` at a time, until `stopping` is set; a Redis that goes away is waited for.

    Then no new run is taken, those under way get `grace_s` to end, and the rest are cancelled: `carry` gives their
    leases back, so that another worker goes on with them at once.
    """
    answering = _Answering(redis, carry, concurrency)
    stop = asyncio.create_task(stopping.wait())
    try:
        while not stopping.is_set():
            await answering.poll_until(stop)
            if not stopping.is_set():
                await asyncio.wait({stop}, timeout=RECONNECT_S)
    finally:
        stop.cancel()
        await answering.end(grace_s)


class _Answering:
    def __init__(self, redis: Redis, carry: Carry, concurrency: int) -> None:
        self._redis = redis
        self._carry = carry
        self._concurrency = concurrency
        # Counted here and not by arq: runs outlive the arq worker that answered for them when Redis goes away.
        self._places = asyncio.Semaphore(concurrency)
        self._carrying: set[asyncio.Task[None]] = set()
        self._is_away = False
        self._is_ending = False

    async def poll_until(self, stop: asyncio.Task[Any]) -> None:
        """Answer bells until `stop` is done or Redis is away."""
        worker = self._worker()
        polling = asyncio.create_task(worker.main())
        try:
            await asyncio.wait({polling, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
            for answer in worker.tasks.values():
                answer.add_done_callback(_retrieve)
        try:
            await polling
        except asyncio.CancelledError:
            return
        except (RedisError, OSError) as error:
            if not self._is_away:  # one line an outage, not two a second
                log.warning("queue.away", reason=type(error).__name__)
            self._is_away = True

    async def answer(self, context: dict[Any, Any], run_id: str) -> None:
        # Off the door at once: arq reads only the head of its queue, and leaves in it what is running (JB12).
        # If Redis goes away just now, the bell rings once more and finds nothing to claim.
        with contextlib.suppress(RedisError, OSError):
            await self._redis.zrem(QUEUE, context["job_id"])
            self._is_away = False
        task = asyncio.create_task(self._carry_in_turn(run_id), name=f"carry {run_id}")
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        await asyncio.wait({task})  # and not `await task`: arq's cancellation must not reach the run
        _retrieve(task)

    async def end(self, grace_s: float) -> None:
        self._is_ending = True
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=grace_s)
        left = list(self._carrying)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _carry_in_turn(self, run_id: str) -> None:
        async with self._places:
            while await self._carry(run_id) and not self._is_ending:
                pass  # as long as there is something to do, nobody need ring

    def _worker(self) -> Worker:
        return Worker(
            functions=[func(cast("WorkerCoroutine", self.answer), name=FUNCTION)],
            queue_name=QUEUE,
            redis_pool=_arq(self._redis),
            handle_signals=False,
            max_jobs=self._concurrency,
            job_timeout=JOB_TIMEOUT_S,
            keep_result=0,  # a kept result would make arq refuse the same bell
            poll_delay=POLL_EVERY_S,
            max_tries=1,
            retry_jobs=False,
            health_check_key=HEALTH_KEY,
            health_check_interval=HEALTH_EVERY_S,
            job_serializer=msgspec.msgpack.encode,
            job_deserializer=msgspec.msgpack.decode,
        )


def _arq(redis: Redis) -> ArqRedis:
    # msgpack and not arq's pickle: whoever writes to Redis must not run code in a worker.
    return ArqRedis(
        pool_or_conn=redis.connection_pool,
        job_serializer=msgspec.msgpack.encode,
        job_deserializer=msgspec.msgpack.decode,
        default_queue_name=QUEUE,
    )


def _job_id(bell: Bell) -> str:
    return f"{bell.run_id}:{bell.rings}"


def _away() -> Unavailable:
    return Unavailable("The queue cannot be reached right now. Try again in a moment.")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Say what went wrong in a task that nobody else awaits. Where Redis goes away, arq's own part of it does."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    trace = None if isinstance(error, RedisError | OSError) else error
    log.warning("queue.answer_failed", task=task.get_name(), reason=type(error).__name__, exc_info=trace)
