"""What could be wrong where a room writes ahead of the store's lock, and decides ahead of the store (PU14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from canvas.graph import Graph
from canvas.numbers import Numbers
from canvas.push import Answered, Batch, Ledger, Push
from canvas.store.memory import MemoryLock, MemoryStore
from canvas.write_ahead import WriteAhead
from tests.simulation.planting import SEEDS, Plant, first_red, planted_in

BUGS: dict[str, Plant] = {}
bug = planted_in(BUGS)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[name](monkeypatch)

    assert first_red(SEEDS) is not None, f"“{name}” goes unnoticed in {len(SEEDS)} stories"


def test_stories_decide_ahead_and_take_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """PU14, PU16"""
    decided, taken_back, gathered = list[int](), list[int](), list[int]()
    decide, give_up, linger = WriteAhead._decide_next, WriteAhead._give_up, WriteAhead.linger

    async def counted(ahead: WriteAhead, *what: Any) -> Batch | None:
        following = await decide(ahead, *what)
        decided.append(len(following.decisions) if following is not None else 0)
        return following

    def counted_back(ahead: WriteAhead) -> None:
        taken_back.append(len(ahead.decided))
        give_up(ahead)

    async def counted_while(ahead: WriteAhead, tell: Callable[[], None]) -> None:
        before = len(ahead.decided)
        await linger(ahead, tell)
        gathered.append(len(ahead.decided) - before)

    monkeypatch.setattr(WriteAhead, "linger", counted_while)
    monkeypatch.setattr(WriteAhead, "_decide_next", counted)
    monkeypatch.setattr(WriteAhead, "_give_up", counted_back)

    assert first_red(SEEDS) is None
    assert sum(map(bool, decided)) > 100, "commits that were decided while the one before was stored"
    assert sum(size > 0 for size in gathered) > 60, "of them, those that something came into until they were due"
    assert sum(map(bool, taken_back)) > 20, "of them, those whose one before was not stored"


@bug
def the_log_may_have_grown_before_it_is_written_to(patch: pytest.MonkeyPatch) -> None:
    original = MemoryStore.append

    async def append(store: MemoryStore, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        return await original(store, workflow_id, epoch, store.workflows[workflow_id].seq, batch)

    patch.setattr(MemoryStore, "append", append)


@bug
def the_log_may_be_another_one_than_was_read(patch: pytest.MonkeyPatch) -> None:
    original = MemoryStore.append

    async def append(store: MemoryStore, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        return await original(store, workflow_id, store.workflows[workflow_id].epoch, after, batch)

    patch.setattr(MemoryStore, "append", append)


@bug
def numbers_that_were_used_elsewhere_are_used_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryStore, "_has_used", staticmethod(lambda *_: False))
    patch.setattr(MemoryLock, "_write_pushes", _write_pushes_over)


def _write_pushes_over(lock: MemoryLock, batch: Batch) -> None:
    """The newest answer to a number stays."""
    for push, result in batch.numbered:
        if push.client is not None and push.author.client_seq is not None:
            answered = msgspec.json.encode(Answered(push.digest, result))
            lock._workflow.pushes[(*push.client, push.author.client_seq)] = answered
            lock._workflow.last[push.client] = push.author.client_seq


@bug
def a_batch_is_told_though_the_store_took_nothing(patch: pytest.MonkeyPatch) -> None:
    original = MemoryStore.append

    async def append(store: MemoryStore, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        await original(store, workflow_id, epoch, after, batch)
        return True

    patch.setattr(MemoryStore, "append", append)


@bug
def what_the_store_did_not_take_stays_in_the_document(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WriteAhead, "_give_up", lambda ahead: ahead._room.graph.settle())


@bug
def what_was_decided_ahead_is_lost_with_the_batch_before(patch: pytest.MonkeyPatch) -> None:
    def give_up(ahead: WriteAhead) -> None:
        ahead._next = None
        ahead._room.abandon()

    patch.setattr(WriteAhead, "_give_up", give_up)


@bug
def what_was_decided_ahead_goes_though_the_batch_before_did_not(patch: pytest.MonkeyPatch) -> None:
    def give_up(ahead: WriteAhead) -> None:
        ahead._room.abandon()

    patch.setattr(WriteAhead, "_give_up", give_up)


@bug
def what_was_decided_ahead_counts_as_stored_with_the_batch_before(patch: pytest.MonkeyPatch) -> None:
    original = Graph.settle
    patch.setattr(Graph, "settle", lambda graph, mark=None: original(graph))


@bug
def a_number_after_a_gap_is_taken(patch: pytest.MonkeyPatch) -> None:
    def ledger_for(_: Numbers, pushes: list[Push], __: object = None) -> Ledger | None:
        return Ledger({push.client: (push.author.client_seq or 1) - 1 for push in pushes[::-1] if push.client}, {})

    patch.setattr(Numbers, "ledger_for", ledger_for)
