"""The room by itself: every interleaving is a list of calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas import protocol
from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Op, Update
from canvas.protocol import Author, Result, ResultError, Transaction, digest_of, encode
from canvas.push import Answered, Batch, Ledger, Past, Push, decode_push
from canvas.room import Answer, Close, Effect, Room, Send, Session
from tests.canvas.drawing import drawn, node, state
from tests.canvas.world import adding, by_request, numbered

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = Ledger({}, {})


def room_with(*session_ids: str) -> Room:
    room = Room("wf", "e1", 0, Graph())
    for session_id in session_ids:
        room.join(Session(session_id, session_id, "tab", "editor", {"id": session_id}), 0)
    return room


def of(session_id: str, number: int, *ops: Op) -> Push:
    """A push of the session of the account with the same name."""
    push = numbered(session_id, number, *ops)
    push.session_id = session_id
    return push


def prepare(room: Room, *pushes: Push, ledger: Ledger | None = None, past: Past | None = None) -> Batch:
    return room.prepare(list(pushes), ledger or Ledger({}, {}), past or Past(), AT)


def commit(room: Room, batch: Batch) -> list[Effect]:
    room.committed(batch)
    return room.told(batch)


def stream(effects: list[Effect], session_id: str) -> list[tuple[str, int]]:
    """What a session hears: `ops` or `result`, and the seq."""
    heard: list[tuple[str, int]] = []
    for effect in effects:
        if not isinstance(effect, Send) or session_id not in effect.session_ids:
            continue
        message: dict[str, Any] = msgspec.json.decode(effect.payload)
        if message["type"] == "ops":
            heard.extend(("ops", transaction["seq"]) for transaction in message["transactions"])
        else:
            heard.append((message["type"], message["seq"]))
    return heard


def test_an_author_hears_its_results_between_the_ops_of_others() -> None:
    """RM1, RM2"""
    room = room_with("ada", "bob", "eve")
    pushes = [
        of("bob", 1, adding("b")),
        of("ada", 1, adding("a")),
        of("bob", 2, adding("c")),
        of("ada", 2, adding("a")),
    ]

    effects = commit(room, prepare(room, *pushes, by_request("script", adding("d"))))

    assert stream(effects, "ada") == [("ops", 1), ("result", 2), ("ops", 3), ("result", 3), ("ops", 4)]
    assert stream(effects, "bob") == [("result", 1), ("ops", 2), ("result", 3), ("ops", 4)]
    assert stream(effects, "eve") == [("ops", 1), ("ops", 2), ("ops", 3), ("ops", 4)]
    assert [effect.result.seq for effect in effects if isinstance(effect, Answer)] == [4]


_pushes = st.lists(st.tuples(st.sampled_from(["ada", "bob", "request"]), st.sampled_from("abc"), st.integers(0, 1)))


@given(_pushes)
def test_whoever_pushes_what_everybody_hears_every_seq_once_and_in_order(pushes: list[tuple[str, str, int]]) -> None:
    """RM1, RM2, PU5, PU6: a result at seq s comes after all ops up to s"""
    room = room_with("ada", "bob", "eve")
    numbers = {"ada": 0, "bob": 0}
    asked = []
    for author, node_id, x in pushes:
        if author == "request":
            asked.append(by_request(author, adding(node_id, x)))
        else:
            numbers[author] += 1
            asked.append(of(author, numbers[author], adding(node_id, x)))

    batch = prepare(room, *asked)
    effects = commit(room, batch)

    assert [transaction.seq for transaction in batch.transactions] == list(range(1, room.seq + 1))
    for session_id in ("ada", "bob", "eve"):
        heard = stream(effects, session_id)
        seen: list[int] = []
        for kind, seq in heard:
            if kind == "ops" or seq not in seen:
                assert seq == len(seen) + 1 or (kind == "result" and seq == len(seen))
                seen += [seq] if seq > len(seen) else []
        assert len(seen) == room.seq
        assert sum(kind == "result" for kind, _ in heard) == numbers.get(session_id, 0)


def test_nothing_of_an_abandoned_batch_remains() -> None:
    """GR4, OP1"""
    room = room_with("ada")
    room.committed(prepare(room, of("ada", 1, adding("a"))))
    before = state(room.graph)

    prepare(room, of("ada", 2, adding("b"), Update("node", "a", {"/data/p": 1})))
    room.abandon()

    assert (state(room.graph), room.seq) == (before, 1)


def test_a_rejected_push_leaves_those_before_and_after_it() -> None:
    """OP1, PU5"""
    room = room_with("ada")

    batch = prepare(
        room, of("ada", 1, adding("a")), of("ada", 2, adding("b"), adding("a", 9)), of("ada", 3, adding("c"))
    )

    assert [result.outcome for _, result in batch.decisions] == ["commit", "reject", "commit"]
    assert set(batch.touched.nodes) == {"a", "c"}
    assert [push.author.client_seq for push, _ in batch.numbered] == [1, 2, 3]
    assert not batch.is_empty


def test_a_gap_uses_no_number_and_writes_nothing() -> None:
    """PU4"""
    room = room_with("ada")

    batch = prepare(room, of("ada", 3, adding("a")))

    assert batch.decisions[0][1].last_client_seq == 0
    assert batch.is_empty


def test_a_number_seen_twice_in_one_batch_is_answered_once_more() -> None:
    """PU2, PU3"""
    room = room_with("ada")

    batch = prepare(room, of("ada", 1, adding("a")), of("ada", 1, adding("a")), of("ada", 1, adding("b")))

    (_, first), (_, again), (_, other) = batch.decisions
    assert first == again
    assert other.error is not None
    assert other.error.code == "CLIENT_SEQ_REUSED"
    assert len(batch.numbered) == 1


def test_an_answer_that_was_lost_is_given_where_its_transaction_stands() -> None:
    """PU9, RM1, RM2"""
    room = room_with("ada", "bob")
    push = of("ada", 1, adding("a"))
    ledger = Ledger(
        {("ada", "tab"): 1}, {("ada", "tab", 1): Answered(digest_of([adding("a")]), Result(1, 2, "commit"))}
    )
    log = [
        Transaction(1, Author("bob", "rest"), AT, [adding("x")]),
        Transaction(2, Author("ada", "user", "tab", 1), AT, [adding("a")]),
        Transaction(3, Author("bob", "job"), AT, [Update("node", "a", {"/data/p": 1})]),
    ]

    effects = room.advance(log, room.answered([push], ledger))

    assert stream(effects, "ada") == [("ops", 1), ("result", 2), ("ops", 3)]
    assert stream(effects, "bob") == [("ops", 1), ("ops", 2), ("ops", 3)]


def test_ones_own_transaction_from_elsewhere_comes_with_its_number() -> None:
    """RS1: a client's other, older socket may have committed it"""
    room = room_with("ada")

    effects = room.advance([Transaction(1, Author("ada", "user", "tab", 1), AT, [adding("a")])])

    assert stream(effects, "ada") == [("ops", 1)]


def test_what_does_not_follow_is_not_taken() -> None:
    """RM4"""
    room = room_with("ada")
    first = Transaction(1, Author("bob", "rest"), AT, [adding("a")])
    room.advance([first])

    assert room.advance([first]) == []
    with pytest.raises(Invalid, match="does not follow"):
        room.advance([msgspec.structs.replace(first, seq=3)])
    with pytest.raises(Invalid):
        room.advance([msgspec.structs.replace(first, seq=2, ops=[adding("a", 9)])])


def test_a_second_socket_closes_the_first_of_the_same_account_only() -> None:
    """CL1"""
    room = room_with("ada", "bob")

    effects = room.join(Session("ada2", "ada", "tab", "editor", {}), 0)

    assert [(effect.session_id, effect.code) for effect in effects if isinstance(effect, Close)] == [("ada", 4010)]
    assert list(room.sessions) == ["bob", "ada2"]


def test_a_role_that_stays_is_not_told() -> None:
    """CL4"""
    room = room_with("ada")

    assert room.change_role("ada", "editor") == []
    assert room.change_role("gone", None) == []
    assert [effect.code for effect in room.change_role("ada", None) if isinstance(effect, Close)] == [4503]
    assert room.sessions == {}


def test_the_shorter_way_back_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """RS2, RS7: the log in messages of a bearable size, or the snapshot"""
    monkeypatch.setattr(protocol, "MAX_SNAPSHOT_PART_BYTES", 600)
    by = Author("ada", "user")
    missed = [Transaction(seq, by, AT, [adding(f"n{seq}")]) for seq in range(1, 9)]
    small = Room("wf", "e1", 8, drawn(node("a")))
    large = Room("wf", "e1", 8, drawn(*(node(f"n{number}") for number in range(99))))

    def way_back(room: Room) -> list[str]:
        room.join(Session("ses", "ada", "tab", "editor", {}), 0)
        effects = room.welcome("ses", last_client_seq=0, results=[], missed=missed)
        return [msgspec.json.decode(effect.payload)["type"] for effect in effects if isinstance(effect, Send)]

    assert way_back(small) == ["welcome", "snapshot"]
    assert way_back(large) == ["welcome", "ops", "ops", "ops"]


def test_a_role_that_is_taken_away_refuses_what_waits() -> None:
    """PU13"""
    room = room_with("ada", "bob", "eve")
    waiting = [of(name, 1, adding(name)) for name in ("ada", "bob", "eve")]
    room.change_role("ada", "viewer")
    room.change_role("bob", None)
    room.leave("eve")  # who only closed the tab wanted it

    batch = prepare(room, *waiting)

    assert [result.error and result.error.code for _, result in batch.decisions] == ["FORBIDDEN", "NOT_FOUND", None]
    assert [transaction.by.user_id for transaction in batch.transactions] == ["eve"]


def test_a_snapshot_is_encoded_once_until_the_document_changes() -> None:
    """RS3, RS4"""
    room = Room("wf", "e1", 3, drawn(node("g"), node("a", parentId="g")))

    first = room.snapshot()
    assert room.snapshot() is first
    room.committed(prepare(room, by_request("ada", adding("b"))))

    assert [record["id"] for record in msgspec.json.decode(room.snapshot()[0])["nodes"]] == ["g", "a", "b"]


def test_a_push_brings_the_refusal_that_it_deserves() -> None:
    """PU1, PU5, RM6"""
    author = Author("ada", "rest", "tab", 1)

    assert decode_push(author, "editor", b'[{"op":"remove","kind":"node","ids":[]}]').refused is None
    for role, raw, code in (("viewer", b"[]", "FORBIDDEN"), ("editor", b"{}", "VALIDATION_FAILED")):
        refused = decode_push(author, role, raw).refused  # type: ignore[arg-type]
        assert refused is not None
        assert refused.code == code
    with pytest.raises(Invalid):
        decode_push(Author("ada", "rest", "tab", -1), "editor", b"[]")
    with pytest.raises(Invalid):
        decode_push(Author("ada", "rest", "tab"), "editor", b"[]")


def test_a_push_without_anybody_waiting_for_it_is_still_committed() -> None:
    """RS6: its socket has gone"""
    room = room_with("ada", "bob")
    batch = prepare(room, of("ada", 1, adding("a")))
    room.leave("ada")

    effects = commit(room, batch)

    assert stream(effects, "bob") == [("ops", 1)]
    assert stream(effects, "ada") == []


def test_an_error_is_told_with_its_op() -> None:
    """OP1, RM6"""
    room = room_with("ada")

    batch = prepare(room, of("ada", 1, adding("a"), adding("a", 9)))

    error = batch.decisions[0][1].error
    assert error == ResultError("ID_EXISTS", "There is already another node with the id “a”.", 1)
    assert msgspec.json.decode(encode(error))["opIndex"] == 1
