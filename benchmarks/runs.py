"""W7: how soon a run shows on a canvas, how many a worker carries, and what the queue itself costs beside bare arq."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from statistics import fmean, median, quantiles
from typing import Any

import httpx
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import Redis

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.contenders import AtWork, some_nodes
from benchmarks.databases import Databases
from benchmarks.errors import BenchmarkError
from benchmarks.pace import at_pace
from benchmarks.plan import ONE_WORKER, TWO_WORKERS
from benchmarks.results import Row
from canvas.client import Canvas, open_canvas
from jobs.queue import POLL_EVERY_S, ArqDoorbell, answer_bells
from jobs.store.bells import BATCH, Bell

ROUNDS, JOBS, CONCURRENCY = 24, 5 * BATCH, 8
ALONE, TOGETHER = 60, 60
WARM_UP = 3
PICTURE = {"basePrompt": "A fox in the snow", "size": "256x256"}
PATIENCE_S = 120

_numbers = itertools.count()


def measure_runs(bench: Bench) -> None:
    asyncio.run(_queue(bench))
    for case, workers in ((ONE_WORKER, 1), (TWO_WORKERS, 2)):
        with bench.easel().working(workers) as easel:
            figures = asyncio.run(_pipeline(easel, bench.databases))
        bench.results.add(Row("W7", "easel", figures, case))


# The queue: jobs that do nothing, put in and answered


async def _queue(bench: Bench) -> None:
    """Rounds of each in turn, on the same Redis, in this process; both poll at the same pace."""
    contenders: dict[str, Callable[[Redis], Awaitable[float]]] = {"easel": _doorbell_s, "arq": _arq_s}
    took: dict[str, list[float]] = {name: [] for name in contenders}
    paces: dict[str, list[float]] = {name: [] for name in contenders}
    async with Redis.from_url(bench.databases.redis_url) as redis:
        for _ in range(ROUNDS):
            machine.wait_until_quiet()
            for name, carried_after_s in contenders.items():
                began = time.monotonic()
                took[name].append(await carried_after_s(redis))
                paces[name].append(bench.pace.us(machine.LOAD_CORE, began, time.monotonic()))
    usual_us = fmean(us for found in paces.values() for us in found)
    for name, found in took.items():
        times = at_pace(usual_us, found, paces[name])
        figures: dict[str, float | None] = {
            "jobs_per_s": round(JOBS / fmean(times)),
            "least": round(JOBS / max(times)),
            "most": round(JOBS / min(times)),
        }
        bench.results.add(Row("W7", name, figures, "queue"))


async def _doorbell_s(redis: Redis) -> float:
    stopping, left = asyncio.Event(), JOBS

    async def carry(_: str) -> bool:
        nonlocal left
        left -= 1
        if not left:
            stopping.set()
        return False

    doorbell = ArqDoorbell(redis)
    started = time.perf_counter()
    for _ in range(JOBS // BATCH):
        await doorbell.ring([Bell(f"run_{next(_numbers)}", 1) for _ in range(BATCH)])
    await answer_bells(redis, carry, concurrency=CONCURRENCY, stopping=stopping)
    return time.perf_counter() - started


async def _arq_s(redis: Redis) -> float:
    done, left = asyncio.Event(), JOBS

    async def nothing(_: dict[Any, Any], __: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    pool = ArqRedis(pool_or_conn=redis.connection_pool)
    worker = Worker(
        functions=[func(nothing, name="nothing")],  # type: ignore[arg-type]  # arq's protocol names its parameters
        redis_pool=pool,
        handle_signals=False,
        max_jobs=CONCURRENCY,
        poll_delay=POLL_EVERY_S,
    )
    started = time.perf_counter()
    for _ in range(JOBS):
        await pool.enqueue_job("nothing", f"run_{next(_numbers)}")
    working = asyncio.create_task(worker.main())
    await done.wait()
    took_s = time.perf_counter() - started
    working.cancel()
    await asyncio.gather(working, *worker.tasks.values(), return_exceptions=True)
    return took_s


# The whole pipeline: server, queue, worker, a picture of the built-in provider, three variants, the store, the canvas


async def _pipeline(easel: AtWork, databases: Databases) -> dict[str, float | None]:
    base_url, token = easel.url, databases.token
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        asyncio.timeout(PATIENCE_S),
        httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        nodes = some_nodes(WARM_UP + ALONE + TOGETHER)
        made = await http.post("/api/workflows", json={"name": "Runs", "nodes": nodes, "edges": []})
        workflow_id = made.raise_for_status().json()["id"]
        names = iter([node["id"] for node in nodes])
        async with open_canvas(base_url, workflow_id, token) as canvas:
            for _ in range(WARM_UP):
                await _alone(http, canvas, workflow_id, next(names))
            seen = [await _alone(http, canvas, workflow_id, next(names)) for _ in range(ALONE)]
            before, started = _cpu_s(easel, databases), time.perf_counter()
            crowd = [next(names) for _ in range(TOGETHER)]
            await asyncio.gather(*(_start(http, workflow_id, node_id) for node_id in crowd))
            await canvas.until(lambda: all(_status(canvas, node_id) == "completed" for node_id in crowd))
            per_s = TOGETHER / (time.perf_counter() - started)
            worker_s, beside_s = (now - then for now, then in zip(_cpu_s(easel, databases), before, strict=True))
    shown, running, done = (sorted(times) for times in zip(*seen, strict=True))
    return {
        "shown_p50_ms": _ms(median(shown)),
        "shown_p99_ms": _ms(_p99(shown)),
        "running_p50_ms": _ms(median(running)),
        "running_p99_ms": _ms(_p99(running)),
        "picture_p50_ms": _ms(median(done)),
        "runs_per_s": round(per_s, 1),
        "worker_s_per_run": round(worker_s / TOGETHER, 4),
        "beside_s_per_run": round(beside_s / TOGETHER, 4),
    }


def _cpu_s(easel: AtWork, databases: Databases) -> tuple[float, float]:
    """Of the workers and their children; of the server and PostgreSQL."""
    workers = [pid for worker in easel.workers for pid in machine.tree(worker)]
    return machine.cpu_s(workers), machine.cpu_s(machine.tree(easel.server) + machine.tree(databases.postgres_pid))


async def _alone(http: httpx.AsyncClient, canvas: Canvas, workflow_id: str, node_id: str) -> tuple[float, float, float]:
    """Seconds from the request until somebody at the canvas sees the run, sees a worker at it, and has its picture."""
    started = time.perf_counter()

    async def seen(*statuses: str) -> float:
        await canvas.until(lambda: _status(canvas, node_id) in statuses)
        return time.perf_counter() - started

    async with asyncio.TaskGroup() as group:
        group.create_task(_start(http, workflow_id, node_id))
        shown = group.create_task(seen("pending", "running", "completed"))
        running = group.create_task(seen("running", "completed"))
        done = group.create_task(seen("completed"))
    return shown.result(), running.result(), done.result()


async def _start(http: httpx.AsyncClient, workflow_id: str, node_id: str) -> None:
    body = {"workflowId": workflow_id, "nodeId": node_id, "provider": "local", "promptSpec": PICTURE}
    answer = await http.post("/api/runs", json=body)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise BenchmarkError(f"Easel refused a run: {answer.text[:300]}")


def _status(canvas: Canvas, node_id: str) -> str | None:
    """What the node says, which every browser shows."""
    status: str | None = canvas.graph.nodes[node_id].record.get("data", {}).get("status")
    if status == "error":
        raise BenchmarkError(f"A run failed: {canvas.graph.nodes[node_id].record['data'].get('error')}")
    return status


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
