"""Real workers are killed, stopped past their lease, or lose Redis or PostgreSQL, at each point of the job machine."""

from __future__ import annotations

import asyncio
import signal
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import TimeoutExpired

import msgspec
import pytest

from tests.chaos.gate import Gate, GatedWorker
from tests.chaos.gated_worker import POINTS
from tests.chaos.ledger import Left, check, swept, unnamed, until_ended, until_untold
from tests.chaos.site import Site, kill
from tests.chaos.vendors import KINDS, Kind, Vendors, at_a_site_with_vendors

FAULTS = ("kill -9", "SIGSTOP", "FLUSHALL", "PostgreSQL")
ARRIVES_S = 30.0
ENDS_S = 60.0

# Points that a kind does not have: what comes at once is never accepted first, and what comes inside the answer has
# no address.
NOT_OF: dict[str, set[str]] = {"sync": {"accepted", "answered"}, "WebSocket": {"answered"}}
# Where the order was under way and its provider cannot be asked by our own id, or does not know it (which proves
# nothing), nobody can tell what became of it. Nowhere else may a run say so, and where its worker lives on never.
NOBODY_KNOWS = {"sync": {"intended", "sent", "put"}, "webhook": {"intended"}, "polling": {"intended", "sent"}}
COSTS_THE_WORKER = ("kill -9", "SIGSTOP")
# A picture that came inside an answer is in the store and in no row: nobody names it, and the sweep takes it away.
LEAVES_AN_OBJECT = {("put", fault) for fault in COSTS_THE_WORKER}

Cell = tuple[str, str, str]


@pytest.mark.timeout(150)
def test_a_fault_anywhere_costs_no_second_order_and_leaves_no_double() -> None:
    """JB4, JB5, JB7, JB8, JB14, JB15, JB25"""
    rounds = [("sent", "kill -9"), ("stored", "SIGSTOP"), ("claimed", "FLUSHALL"), ("kept", "PostgreSQL")]

    survey = survive(rounds, looks=0)

    assert not survey.complaints, "\n\n".join(survey.complaints)
    assert len(survey.cells) == len(KINDS) * len(rounds)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_fault_at_every_point_for_every_kind() -> None:
    """R5: prints the table."""
    survey = survive([(point, fault) for point in POINTS for fault in FAULTS], looks=1)

    print(table(survey.cells))
    assert not survey.complaints, "\n\n".join(survey.complaints)
    absent = sum(len(points) for points in NOT_OF.values())
    assert len(survey.cells) == (len(POINTS) * len(KINDS) - absent) * len(FAULTS)


class Survey(msgspec.Struct):
    cells: dict[Cell, Left] = {}
    complaints: list[str] = []

    def complain(self, complaint: str) -> None:
        print(complaint, flush=True)
        self.complaints.append(complaint)


def survive(rounds: list[tuple[str, str]], looks: int) -> Survey:
    async def scenario() -> Survey:
        survey = Survey()
        async with at_a_site_with_vendors() as (site, vendors, folder):
            vendors.replicate.looks = looks
            for point, fault in rounds:
                try:
                    await live_through(site, vendors, folder, survey, point, fault)
                except (AssertionError, TimeoutError, TimeoutExpired) as error:
                    survey.complain(f"{point}, {fault}: {error!r}\n{traceback.format_exc()}")
            survey.complaints += [f"the sweep left {left}" for left in await swept(site, folder / "objects")]
            survey.complaints += [alarms] if (alarms := site.alarms()) else []
        return survey

    return asyncio.run(scenario())


async def live_through(site: Site, vendors: Vendors, folder: Path, survey: Survey, point: str, fault: str) -> None:
    """One run of each kind that has the point comes there; then the fault, and then all of it goes on."""
    began = asyncio.get_running_loop().time()
    before = {kind: vendors.accepted(kind.provider) for kind in KINDS}
    orphans = await unnamed(site, folder / "objects")
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(Gate(folder, point))
        first = await site.run(lambda: GatedWorker(site.environment | gate.settings))
        stack.push_async_callback(lambda: site.run(first.stop))
        stack.callback(gate.open)  # else it would wait for the orders that are being sent
        runs = await start(site, [kind for kind in KINDS if point not in NOT_OF.get(kind.name, ())])
        async with asyncio.timeout(ARRIVES_S):
            await gate.until_arrived(set(runs.values()))
        match fault:
            case "kill -9":
                await site.run(first.kill)
                await end_elsewhere(site, folder, set(runs.values()))
            case "SIGSTOP":
                first.signal(signal.SIGSTOP)
                gate.open()
                await end_elsewhere(site, folder, set(runs.values()), woken=first)
            case "FLUSHALL":
                await site.flush_redis()
                gate.open()
            case _:
                kill(site.postgres)
                gate.open()
                await site.run(site.postgres.start)
        await until_ended(site, set(runs.values()), ENDS_S)
        await site.run(first.stop)
        print(f"{point}, {fault}: {asyncio.get_running_loop().time() - began:.1f} s", flush=True)
        assert "Traceback" not in first.text, first.text
        await until_untold(site, ENDS_S)
    for kind, run_id in runs.items():
        accepted = vendors.accepted(kind.provider) - before[kind]
        try:
            left = survey.cells[kind.name, point, fault] = await check(site, folder / "objects", run_id, accepted)
            is_unknown = fault in COSTS_THE_WORKER and point in NOBODY_KNOWS.get(kind.name, ())
            assert left.code == ("OUTCOME_UNKNOWN" if is_unknown else None), left
            assert accepted <= 1 or not kind.is_paid, left
        except AssertionError as error:
            survey.complain(f"{point}, {fault}, {kind.name}: {error}\n{first.text}")
    left_over = await unnamed(site, folder / "objects") - orphans
    if len(left_over) != ((point, fault) in LEAVES_AN_OBJECT):
        survey.complain(f"{point}, {fault}: objects that no row names: {left_over}")


async def end_elsewhere(site: Site, folder: Path, runs: set[str], woken: GatedWorker | None = None) -> None:
    """By another worker. `woken` goes on when that one has the pictures and has not yet said so."""
    async with Gate(folder, "stored") as gate:
        second = await site.run(lambda: GatedWorker(site.environment | gate.settings))
        try:
            if woken is not None:
                await until_ended(site, runs, ENDS_S, or_at=gate.arrived)
                woken.signal(signal.SIGCONT)
                assert await site.run(woken.stop) == 0, woken.text
            gate.open()
            await until_ended(site, runs, ENDS_S)
        finally:
            await site.run(second.stop)
    assert "Traceback" not in second.text, second.text


async def start(site: Site, kinds: list[Kind]) -> dict[Kind, str]:
    names = [kind.provider for kind in kinds]
    nodes = [{"id": name, "position": {"x": 0, "y": 0}, "data": {}} for name in names]
    workflow_id = (await site.workflow(nodes=nodes))["id"]
    runs = {}
    async with site.http() as http:
        for kind in kinds:
            body = {"workflowId": workflow_id, "nodeId": kind.provider, "provider": kind.provider, "model": kind.model}
            answer = await http.post("/api/runs", json=body | {"promptSpec": {"basePrompt": "a fox"}})
            assert answer.status_code == 202, answer.text
            runs[kind] = answer.json()["jobId"]
    return runs


def table(cells: dict[Cell, Left]) -> str:
    """Markdown: a row for each point and fault, a column for each kind."""
    heads = ["point", "fault", *(kind.name for kind in KINDS)]
    lines = [heads, ["---"] * len(heads)]
    for number, point in enumerate(POINTS, 1):
        for fault in FAULTS:
            found = [cells.get((kind.name, point, fault)) for kind in KINDS]
            lines.append([f"{number} {point}", fault, *(_told(left) for left in found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _told(left: Left | None) -> str:
    return "–" if left is None else f"{left.code or left.status}, {left.accepted} accepted"
