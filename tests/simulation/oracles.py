"""What must hold when everything has come to rest, whatever happened before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from canvas.errors import EaselError
from canvas.graph import Graph
from canvas.ops import Change, Op, Restore, replay
from canvas.protocol import Transaction
from canvas.push import Answered
from canvas.store.port import Document
from tests.canvas.drawing import state
from tests.simulation.server import WORKFLOW, Server

if TYPE_CHECKING:
    from tests.simulation.world import Acknowledgement, World

ALARMS = frozenset({"canvas.task_failed", "room.commit_broke", "room.diverged", "hub.clock_failed"})

_transaction = msgspec.json.Decoder(Transaction)
_answered = msgspec.json.Decoder(Answered)


def fold(log: Iterable[bytes]) -> Graph:
    """The document that a log tells."""
    graph = Graph(name="Foxes")
    for encoded in log:
        transaction = _transaction.decode(encoded)
        replay(graph, transaction.seq, transaction.ops)
        graph.settle()
    return graph


def alarms(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a server logs when it meets a bug of its own."""
    return [f"a server logged {entry}" for entry in logs if entry["event"] in ALARMS]


def check_author(world: World, transaction: Transaction) -> None:
    """A viewer writes nothing; each number of a client is applied once."""
    by = transaction.by
    if by.client_id is None or by.client_seq is None:
        return
    key = (by.user_id, by.client_id, by.client_seq)
    if key not in world.writable:
        world.wrong(f"{key} is in the log, and no server took it from a writer (access)")


def unrest(world: World) -> str:
    """Why the world does not come to rest."""
    head = (world.stored.epoch, world.stored.seq)
    tabs = "; ".join(
        f"{tab.name} as {tab.client_id} is {'live' if tab.is_live else 'away'} at "
        f"{tab.replica.epoch}, {tab.replica.seq}, waits for {sorted(tab.waiting)}"
        for tab in world.tabs
        if not tab.is_out
    )
    return f"it does not settle: the log is at {head}; {tabs}"


async def check_end(world: World) -> None:
    if world.wrongs:
        return
    _check_log(world)
    _check_acknowledgements(world)
    document = await world.store.load(WORKFLOW)
    assert document is not None
    for server in world.servers:
        if server.is_alive:
            _check_server(world, server, document)
    _check_presence(world)


def _check_log(world: World) -> None:
    stored = world.stored
    transactions = [_transaction.decode(encoded) for encoded in stored.log]
    if [transaction.seq for transaction in transactions] != list(range(1, stored.seq + 1)):
        world.wrong("the log has a gap (PU8)")
    keys = [(t.by.user_id, t.by.client_id, t.by.client_seq) for t in transactions if t.by.client_id is not None]
    if len(keys) != len(set(keys)):
        world.wrong("a push was applied twice (PU2)")
    by_client: dict[tuple[str, str], list[int]] = {}
    for account_id, client_id, number in stored.pushes:
        by_client.setdefault((account_id, client_id), []).append(number)
    for client, numbers in by_client.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            world.wrong(f"{client} has answers to {sorted(numbers)} (PU4)")


def _check_acknowledgements(world: World) -> None:
    """Who was told “stored” finds it in the log; who was told that nothing changed, or no, finds nothing."""
    stored = world.stored
    without_effect: dict[int, list[list[Op]]] = {}
    for acknowledged in world.acknowledgements:
        transaction = _stored_for(world, acknowledged)
        result = acknowledged.result
        if result.outcome == "reject" and transaction is not None:
            world.wrong(f"{acknowledged.key} was told {result}, but it is in the log (OP1)")
        elif result.outcome == "commit" and transaction is None:
            without_effect.setdefault(result.seq, []).append(acknowledged.ops)
        elif result.outcome == "rebase" and transaction is None:
            world.wrong(f"{acknowledged.key} was told {result}, but it is not in the log (PU8)")
    graph = Graph(name="Foxes")
    for seq in range(stored.seq + 1):
        if seq:
            replay(graph, seq, _transaction.decode(stored.log[seq - 1]).ops)
            graph.settle()
        for ops in without_effect.get(seq, ()):
            _check_no_effect(world, graph, seq, ops)


def _stored_for(world: World, acknowledged: Acknowledgement) -> Transaction | None:
    result, stored = acknowledged.result, world.stored
    assert result.client_seq is not None
    answer = stored.pushes.get((*acknowledged.key, result.client_seq))
    if answer is None or _answered.decode(answer).result != result:
        world.wrong(f"{acknowledged.key} was told {result}, but stored is {answer!r} (PU8)")
    if not 0 < result.seq <= stored.seq:
        return None
    transaction = _transaction.decode(stored.log[result.seq - 1])
    by = transaction.by
    return transaction if (by.user_id, by.client_id, by.client_seq) == (*acknowledged.key, result.client_seq) else None


def _check_no_effect(world: World, graph: Graph, seq: int, ops: list[Op]) -> None:
    if any(isinstance(op, Restore) for op in ops):
        return  # what it would have brought back is not kept in a replica
    change = Change(graph, seq + 1, {})
    try:
        for op in ops:
            change.apply(op)
    except EaselError as error:
        world.wrong(f"{ops} was committed without effect at {seq}, but is refused there: {error} (PU6)")
    if change.effective:
        world.wrong(f"{ops} was committed without effect at {seq}, but has one: {change.effective} (PU6)")
    graph.roll_back(0)


def _check_server(world: World, server: Server, document: Document) -> None:
    """Its room is the stored document, and nothing is left over."""
    assert server.hub is not None
    for opened in server.hub._rooms.values():
        room = opened.room
        folded = state(fold(world.stored.log))
        if (room.epoch, room.seq) != document.head[:2]:
            world.wrong(f"{server.name} is at {room.epoch}, {room.seq}, the log at {document.head} (RM3)")
        elif not state(room.graph) == folded == state(document.graph):
            world.wrong(f"{server.name}, the log and the stored rows are not one document (GR5)")
        if opened.waiting or opened.waiting._suspects or opened._answers or room.graph.mark():
            world.wrong(f"{server.name} has something left over")
        for session in room.sessions.values():
            if session.role != world.roles.get(session.account_id):
                world.wrong(f"{session.account_id} is still {session.role} at {server.name} (CL4)")
        if room.sessions.keys() != opened.sockets.keys():
            world.wrong(f"{server.name} has sessions {room.sessions} and sockets {opened.sockets} (RS6)")


def _check_presence(world: World) -> None:
    """Everyone sees everyone, as they showed themselves last, and nobody who has gone."""
    live = {tab.session_id: tab for tab in world.tabs if not tab.is_out}
    keys = [tab.key for tab in live.values()]
    if len(keys) != len(set(keys)):
        world.wrong("two tabs are here with one clientId (CL1)")
    for tab in live.values():
        seen = {session_id: state for session_id, state in tab.replica.sessions.items() if session_id in live}
        strangers = tab.replica.sessions.keys() - live.keys()
        if strangers:
            world.wrong(f"{tab.name} still sees {strangers} (PR4)")
        for session_id, other in live.items():
            if other is tab:
                continue
            shown = seen.get(session_id, {})
            if shown.get("cursor") != other.shown.get("cursor") or "drag" in shown:
                world.wrong(f"{tab.name} sees {shown} of {other.name}, who shows {other.shown} (PR1, PR3, PR4)")
