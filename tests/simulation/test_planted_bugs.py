"""A simulator that finds nothing proves nothing: each of these bugs, planted on purpose, turns it red.

Every one was, or could well have been, a real mistake: a line forgotten, a check left out, an order turned round.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import pytest

from canvas.errors import Unavailable
from canvas.graph import Graph
from canvas.hub import Hub
from canvas.open_room import OpenRoom
from canvas.ops import Add, Change, Remove
from canvas.presence import Presences
from canvas.protocol import Result, Transaction
from canvas.push import Batch, Ledger, Past, Push
from canvas.relay.port import OpsHint
from canvas.room import Effect, Room, Send, Session
from canvas.store.port import Head, Lock
from tests.simulation.planting import SEEDS, Plant, first_red, planted_in

BUGS: dict[str, Plant] = {}
bug = planted_in(BUGS)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[name](monkeypatch)

    assert first_red(SEEDS) is not None, f"“{name}” goes unnoticed in {len(SEEDS)} stories"


def test_there_are_bugs_enough() -> None:
    assert len(BUGS) >= 10


# Numbers


@bug
def a_push_that_comes_again_is_applied_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "_answer_from", lambda *_: None)


@bug
def the_ledger_is_not_kept_within_a_batch(patch: pytest.MonkeyPatch) -> None:
    def remember(batch: Batch, ledger: Ledger, push: Push, result: Result) -> None:
        if push.client is not None:
            batch.numbered.append((push, result))

    patch.setattr(Room, "_remember", staticmethod(remember))


@bug
def a_push_is_dropped_when_its_commit_fails(patch: pytest.MonkeyPatch) -> None:
    original = OpenRoom._commit

    async def commit(opened: OpenRoom, pushes: list[Push]) -> None:
        try:
            await original(opened, pushes)
        except Unavailable:
            pushes.clear()
            raise

    patch.setattr(OpenRoom, "_commit", commit)


@bug
def a_push_is_answered_though_nothing_was_stored(patch: pytest.MonkeyPatch) -> None:
    original = OpenRoom._write

    async def write(opened: OpenRoom, pushes: list[Push]) -> Batch:
        try:
            return await original(opened, pushes)
        except Unavailable:
            if opened.is_gone:
                raise
            numbers = {push.client: (push.author.client_seq or 1) - 1 for push in pushes[::-1] if push.client}
            return opened.room.prepare(pushes, Ledger(numbers, {}), Past(), datetime.now(UTC))

    patch.setattr(OpenRoom, "_write", write)


@bug
def an_abandoned_batch_stays_in_the_document(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "abandon", lambda room, after=None: room.graph.settle())


@bug
def a_refused_push_leaves_half_of_itself(patch: pytest.MonkeyPatch) -> None:
    original = Graph.roll_back
    patch.setattr(Graph, "roll_back", lambda graph, mark: original(graph, mark) if mark == 0 else None)


# What is told


def _is(effect: Effect, type_: bytes) -> bool:
    return isinstance(effect, Send) and effect.payload.startswith(b'{"type":"' + type_ + b'"')


@bug
def an_author_hears_an_echo(patch: pytest.MonkeyPatch) -> None:
    original = Room._told

    def told(room: Room, *what: Any) -> list[Effect]:
        effects = original(room, *what)
        everyone = tuple(room.sessions)
        return [msgspec.structs.replace(one, session_ids=everyone) if _is(one, b"ops") else one for one in effects]

    patch.setattr(Room, "_told", told)


@bug
def results_come_before_the_ops_below_them(patch: pytest.MonkeyPatch) -> None:
    original = Room._told

    def told(room: Room, *what: Any) -> list[Effect]:
        effects = original(room, *what)
        return sorted(effects, key=lambda effect: not _is(effect, b"result"))

    patch.setattr(Room, "_told", told)


@bug
def a_hint_is_believed_without_looking_at_the_gap(patch: pytest.MonkeyPatch) -> None:
    original = OpenRoom.heal

    def heal(opened: OpenRoom, hint: OpsHint | None = None) -> None:
        if hint is not None and hint.first and not opened.lock.locked():
            opened.room.seq = max(opened.room.seq, hint.first - 1)
        original(opened, hint)

    patch.setattr(OpenRoom, "heal", heal)


@bug
def lost_hints_are_never_made_good(patch: pytest.MonkeyPatch) -> None:
    original = OpenRoom.heal

    def heal(opened: OpenRoom, hint: OpsHint | None = None) -> None:
        if hint is not None and hint.first:
            original(opened, hint)

    patch.setattr(OpenRoom, "heal", heal)


@bug
def who_comes_in_is_told_again_what_it_has_in_its_snapshot(patch: pytest.MonkeyPatch) -> None:
    original = OpenRoom.catch_up

    async def catch_up(opened: OpenRoom) -> Head:
        untold, opened._untold = opened._untold, None
        head = await original(opened)
        opened._untold = untold
        return head

    patch.setattr(OpenRoom, "catch_up", catch_up)


@bug
def what_comes_under_the_lock_is_not_told(patch: pytest.MonkeyPatch) -> None:
    async def advance_under(opened: OpenRoom, lock: Lock, answered: list[tuple[Push, Result]]) -> set[Push]:
        opened.room.advance(await lock.since(opened.room.seq))
        return {push for push, _ in answered}

    patch.setattr(OpenRoom, "_advance_under", advance_under)


# Coming back


@bug
def a_resume_begins_one_too_late(patch: pytest.MonkeyPatch) -> None:
    original = Room.welcome

    def welcome(room: Room, session_id: str, *, missed: list[Transaction] | None, **told: Any) -> list[Effect]:
        return original(room, session_id, missed=missed[1:] if missed else missed, **told)

    patch.setattr(Room, "welcome", welcome)


@bug
def a_long_resume_leaves_out_too_much(patch: pytest.MonkeyPatch) -> None:
    def last_only(transactions: list[Transaction]) -> list[Transaction]:
        return [msgspec.structs.replace(one, ops=[]) for one in transactions[:-1]] + transactions[-1:]

    patch.setattr("canvas.resuming.compacted", last_only)


@bug
def a_snapshot_is_kept_when_the_document_changes(patch: pytest.MonkeyPatch) -> None:
    original = Room.snapshot
    kept: dict[Room, list[bytes]] = {}
    patch.setattr(Room, "snapshot", lambda room: kept.setdefault(room, original(room)))


@bug
def a_socket_hears_ops_before_its_snapshot(patch: pytest.MonkeyPatch) -> None:
    async def join(hub: Hub, workflow_id: str, socket: Any, account: Any, role: Any, hello: Any, **_: Any) -> str:
        opened = await hub._open(workflow_id)
        session = Session(f"early-{len(opened.sockets)}-{hub._now()}", account["id"], hello.client_id, role, account)
        opened.carry_out(opened.room.join(session, hub._now()))
        opened.sockets[session.id] = socket
        async with opened.lock:
            await opened.catch_up()
            hub._welcome(opened, session, hello, await hub._resumption(opened, session, hello))
        return session.id

    patch.setattr(Hub, "join", join)


@bug
def a_restored_backup_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OpenRoom, "check_epoch", lambda *_: None)


@bug
def a_client_keeps_its_old_socket(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "replace", lambda *_: [])


# Documents


@bug
def the_edges_of_a_removed_node_stay(patch: pytest.MonkeyPatch) -> None:
    original = Change._remove

    def remove(change: Change, op: Remove) -> None:
        incident, change._graph.incident = change._graph.incident, {}
        original(change, op)
        change._graph.incident = incident

    patch.setattr(Change, "_remove", remove)


@bug
def replicas_put_new_records_at_the_end(patch: pytest.MonkeyPatch) -> None:
    original = Change._add

    def add(change: Change, op: Add) -> None:
        original(change, Add(op.kind, op.record) if change._is_clean else op)

    patch.setattr(Change, "_add", add)


@bug
def a_node_may_be_inside_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Change, "_check_parent", lambda *_: None)
    descendants = Graph.descendants
    patch.setattr(Graph, "descendants", lambda graph, id_: islice(descendants(graph, id_), len(graph.nodes)))  # it ends


@bug
def the_asked_for_ops_are_told_instead_of_the_effective_ones(patch: pytest.MonkeyPatch) -> None:
    original = Room._apply

    def apply(room: Room, batch: Batch, push: Push, *args: Any) -> Result:
        before = len(batch.transactions)
        result = original(room, batch, push, *args)
        if len(batch.transactions) > before:
            effective = batch.transactions[-1]
            batch.transactions[-1] = Transaction(effective.seq, effective.by, effective.at, push.ops)
        return result

    patch.setattr(Room, "_apply", apply)


# Who may, and who is here


@bug
def a_viewer_may_write(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("canvas.room.may", lambda *_, **__: True)
    patch.setattr("canvas.push.may", lambda *_, **__: True)


@bug
def a_role_that_changes_is_not_heard_of(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "change_role", lambda *_: [])


@bug
def who_has_died_is_seen_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Presences, "expire", lambda *_: None)


@bug
def who_leaves_is_not_missed(patch: pytest.MonkeyPatch) -> None:
    original = Presences.leave

    def leave(presences: Presences, session_id: str) -> None:
        original(presences, session_id)
        presences._left.clear()

    patch.setattr(Presences, "leave", leave)
