"""What one costs among many: nodes, rooms, connections, queued runs, and a log of up to a million transactions."""

import asyncio
import time
from statistics import median
from typing import Any

import asyncpg
import httpx
import msgspec
from redis.asyncio import Redis

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.contenders import some_nodes
from benchmarks.durable import load_of, run_of
from benchmarks.errors import BenchmarkError
from benchmarks.footprint import Held
from benchmarks.generator import Load
from benchmarks.results import Row
from benchmarks.slopes import CONNECTIONS, LOG, NODES, ROOMS, RUNS
from canvas.client import open_canvas
from canvas.ops import Update
from canvas.relay.redis import open_relay
from jobs.run import PictureUrl
from jobs.store.claims import Claims

NODE_COUNTS = (10, 100, 1_000, 10_000)
ROOM_COUNTS = (1, 10, 100, 1_000)
CONNECTION_COUNTS = (100, 1_000, 3_000, 10_000)
RUN_COUNTS = (10, 100, 1_000, 10_000)
LOG_LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
OPERATIONS_PER_S, EDITORS = 200, 4
WARM_UP_S, MEASURED_S = 1.0, 3.0
IN_A_ROOM, HOLD_S, LOOK_EVERY_S = 100, 3, 0.25
TAKEN = 20
LOG_ROUNDS, PUSHES = 3, 5
LEASE_S, PATIENCE_S = 600, 120


def measure_growth(bench: Bench) -> None:
    for count in NODE_COUNTS:
        _operations(bench, NODES, count, load_of(1, EDITORS, OPERATIONS_PER_S), node_count=count)
    for count in ROOM_COUNTS:
        _operations(bench, ROOMS, count, load_of(count, 1, OPERATIONS_PER_S))
    for count in CONNECTION_COUNTS:
        _connections(bench, count)
    with bench.easel().answering() as base_url:
        asyncio.run(_runs(bench, base_url))
    _log(bench)


# Stored operations, always as many a second


def _operations(bench: Bench, workload: str, size: int, load: Load, node_count: int = 0) -> None:
    load = msgspec.structs.replace(load, warmup_s=WARM_UP_S, measured_s=MEASURED_S)
    seen = run_of(bench, load, node_count)
    stored_per_s = seen.acked / MEASURED_S
    if not stored_per_s:
        raise BenchmarkError(f"{workload} {size}: nothing was stored: {seen.error or seen.errors}")
    server_us, database_us = seen.srv_cpu / stored_per_s * 1e6, seen.beside_cpu / stored_per_s * 1e6
    figures: dict[str, float | None] = {
        "cpu_us": round(server_us + database_us),
        "server_us": round(server_us),
        "database_us": round(database_us),
        "stored_p50_ms": seen.ack_p50,
        "stored_p99_ms": seen.ack_p99,
        "stored_per_s": round(stored_per_s, 1),
    }
    bench.results.add(Row(workload, "easel", figures, str(size)))


# Connections that keep still


def _connections(bench: Bench, count: int) -> None:
    rooms = max(1, count // IN_A_ROOM)
    with bench.easel().serving() as target:
        before = latest = machine.pss_kb(target.pids)
        cpu_before = cpu = machine.cpu_s(target.pids)
        generator = bench.generator.hold(target, rooms, count // rooms, HOLD_S)
        while generator.poll() is None:
            memory, used = machine.pss_kb(target.pids), machine.cpu_s(target.pids)
            time.sleep(LOOK_EVERY_S)
            if generator.poll() is None:  # everybody was still there when we looked
                latest, cpu = memory, used
        held = msgspec.json.decode(generator.communicate()[0], type=Held)
    figures: dict[str, float | None] = {
        "kb": round((latest - before) / max(1, held.connected), 1),
        "connect_cpu_ms": round((cpu - cpu_before) * 1000 / max(1, held.connected), 2),
        "connect_s": held.connect_s,
        "connected": held.connected,
    }
    bench.results.add(Row(CONNECTIONS, "easel", figures, str(count)))


# Runs that wait: real ones are started and taken while copies of them wait behind


async def _runs(bench: Bench, base_url: str) -> None:
    headers = {"Authorization": f"Bearer {bench.databases.token}"}
    async with (
        asyncpg.create_pool(bench.databases.database_url, min_size=1, max_size=2) as database,
        Redis.from_url(bench.databases.redis_url) as redis,
        open_relay(redis) as relay,
        httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        claims = Claims(database, relay, PictureUrl())
        for count in RUN_COUNTS:
            await database.execute("DELETE FROM runs")
            workflow_id = await _new_workflow(http, 2 * TAKEN)
            for number in range(TAKEN):  # the oldest, so theirs is the turn
                await _started_ms(http, workflow_id, number)
            await database.execute(_QUEUE_COPIES, workflow_id, count)
            await database.execute("ANALYZE runs")
            claimed = [await _claimed_ms(claims, workflow_id) for _ in range(TAKEN)]
            started = [await _started_ms(http, workflow_id, TAKEN + number) for number in range(TAKEN)]
            figures: dict[str, float | None] = {
                "start_ms": round(median(started), 2),
                "claim_ms": round(median(claimed), 2),
                "slowest_start_ms": round(max(started), 2),
                "slowest_claim_ms": round(max(claimed), 2),
            }
            bench.results.add(Row(RUNS, "easel", figures, str(count)))


async def _new_workflow(http: httpx.AsyncClient, node_count: int) -> str:
    made = await http.post("/api/workflows", json={"name": "Grows", "nodes": some_nodes(node_count), "edges": []})
    workflow_id: str = made.raise_for_status().json()["id"]
    return workflow_id


async def _started_ms(http: httpx.AsyncClient, workflow_id: str, number: int) -> float:
    prompt = {"basePrompt": "A fox in the snow", "size": "256x256"}
    body = {"workflowId": workflow_id, "nodeId": f"n{number}", "provider": "local", "promptSpec": prompt}
    begun = time.perf_counter()
    answer = await http.post("/api/runs", json=body)
    took_ms = (time.perf_counter() - begun) * 1000
    if answer.status_code != httpx.codes.ACCEPTED:
        raise BenchmarkError(f"Easel refused a run: {answer.text[:300]}")
    return took_ms


async def _claimed_ms(claims: Claims, workflow_id: str) -> float:
    begun = time.perf_counter()
    claim = await claims.claim("benchmark", LEASE_S)
    took_ms = (time.perf_counter() - begun) * 1000
    if claim is None or claim.run.workflow_id != workflow_id or not claim.run.node_id.startswith("n"):
        raise BenchmarkError("The run that was taken is not the one whose turn it was.")
    return took_ms


_QUEUE_COPIES = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      estimate_usd, payer_id, run_after)
    SELECT source.id || '_' || number, subject_id, 'waiting_' || number, account_id, 'pending', processor, provider,
      model, request, payload, estimate_usd, payer_id, clock_timestamp()
    FROM (SELECT * FROM runs WHERE subject_id = $1 LIMIT 1) AS source, generate_series(1, $2::integer) AS number"""


# A long log


def _log(bench: Bench) -> None:
    """Grown while no server has the document open, then opened by a new server in each round."""
    with bench.easel().answering() as base_url:
        documents = asyncio.run(_documents(bench, base_url))
    opened: dict[int, list[float]] = {}
    pushed: dict[int, list[float]] = {}
    for _ in range(LOG_ROUNDS):
        with bench.easel().answering() as base_url:
            for length, workflow_id in documents:
                open_ms, push_ms = asyncio.run(_visit(base_url, bench.databases.token, workflow_id))
                opened.setdefault(length, []).append(open_ms)
                pushed.setdefault(length, []).extend(push_ms)
    for length in LOG_LENGTHS:
        figures: dict[str, float | None] = {
            "open_ms": round(median(opened[length]), 2),
            "slowest_open_ms": round(max(opened[length]), 2),
            "push_ms": round(median(pushed[length]), 2),
            "slowest_push_ms": round(max(pushed[length]), 2),
        }
        bench.results.add(Row(LOG, "easel", figures, str(length)))


async def _documents(bench: Bench, base_url: str) -> list[tuple[int, str]]:
    """Length of the log and workflow, the first a short one that warms a server up."""
    headers = {"Authorization": f"Bearer {bench.databases.token}"}
    found = []
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60, trust_env=False) as http:
        for length in (1, *LOG_LENGTHS):
            workflow_id = await _new_workflow(http, 10)
            change: dict[str, Any] = {"data": {"touched": True}}
            written = await http.patch(f"/api/workflows/{workflow_id}/nodes/n0", json=change)
            written.raise_for_status()
            found.append((length, workflow_id))
    connection = await asyncpg.connect(bench.databases.database_url)
    try:
        for length, workflow_id in found:
            await connection.execute(_LENGTHEN, workflow_id, length, timeout=PATIENCE_S)
            await connection.execute("UPDATE workflows SET seq = seq + $2 WHERE id = $1", workflow_id, length)
        await connection.execute("VACUUM ANALYZE workflow_ops")
    finally:
        await connection.close()
    return found


async def _visit(base_url: str, token: str, workflow_id: str) -> tuple[float, list[float]]:
    begun, pushed = time.perf_counter(), []
    async with asyncio.timeout(PATIENCE_S), open_canvas(base_url, workflow_id, token) as canvas:
        open_ms = (time.perf_counter() - begun) * 1000
        for number in range(PUSHES):
            begun = time.perf_counter()
            result = await canvas.push(Update("node", "n0", {"/position": {"x": number, "y": open_ms}}))
            pushed.append((time.perf_counter() - begun) * 1000)
            if result.outcome == "reject":
                raise BenchmarkError(f"Easel refused a push after a long log: {result}")
    return open_ms, pushed


_LENGTHEN = """
    INSERT INTO workflow_ops (workflow_id, seq, author_id, client_id, client_seq, origin, ops, at)
    SELECT workflow_id, seq + number, author_id, client_id, client_seq, origin, ops, at
    FROM (SELECT * FROM workflow_ops WHERE workflow_id = $1 ORDER BY seq DESC LIMIT 1) AS last,
      generate_series(1, $2::integer) AS number"""
