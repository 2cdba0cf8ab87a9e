from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas import protocol
from canvas.errors import BadRequest, Invalid
from canvas.ops import Add, Op
from canvas.protocol import Author, Hello, Presence, Push, Result, decode_message, decode_ops
from tests.canvas import drawing
from tests.canvas.drawing import node


def test_every_message_of_a_client_is_understood() -> None:
    """PU1, RM6"""
    hello = b'{"type":"hello","protocol":1,"clientId":"tab","resume":{"epoch":"e","seq":3,"ackedClientSeq":2}}'
    assert decode_message(hello) == Hello(1, "tab", protocol.ResumePoint("e", 3, 2))
    assert isinstance(decode_message('{"type":"push","clientSeq":1,"ops":[],"undoOf":7,"later":"unknown"}'), Push)
    presence = decode_message('{"type":"presence","set":{"cursor":{"x":1,"y":2},"selection":null}}')
    assert isinstance(presence, Presence)
    assert msgspec.to_builtins(presence.set) == {"cursor": {"x": 1.0, "y": 2.0}, "selection": None}
    assert decode_message('{"type":"ping"}') == protocol.Ping()
    assert decode_message('{"type":"resync"}') == protocol.Resync()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"type":"nothing"}',
        '{"type":"push","clientSeq":1}',
        '{"type":"push","clientSeq":0,"ops":[]}',
        '{"type":"push","clientSeq":-1000000000000000000000000,"ops":[]}',
        '{"type":"push","clientSeq":9007199254740992,"ops":[]}',
        '{"type":"push","clientSeq":1.5,"ops":[]}',
        '{"type":"hello","protocol":1,"clientId":"a","resume":{"epoch":"e","seq":-1}}',
        '{"type":"hello","protocol":1,"clientId":"a","resume":{"epoch":"e","seq":1,"ackedClientSeq":1e40}}',
        '{"type":"presence","set":{"cursor":{"x":1e999,"y":0}}}',
        '{"type":"presence","set":{"selection":"n1"}}',
        '{"type":"ping","t":"\\ud83d"}',
        '{"type":"ping","t":' + "[" * 100_000,
    ],
)
def test_what_cannot_be_understood_is_a_bad_message(text: str) -> None:
    """RM6, PU1"""
    with pytest.raises(BadRequest) as caught:
        decode_message(text)
    assert caught.value.code == "BAD_MESSAGE"


@given(st.binary())
def test_no_bytes_break_the_decoder(junk: bytes) -> None:
    """RM6"""
    for text in (junk, b'{"type":"push","clientSeq":1,"ops":[' + junk):
        with contextlib.suppress(BadRequest):
            decode_message(text)


@pytest.mark.parametrize(
    ("raw", "index"),
    [
        (b'[{"op":"remove","kind":"node","ids":[]},{"op":"fly"}]', 1),
        (b'[{"op":"add","kind":"cloud","record":{}}]', 0),
        (b'[{"op":"add","kind":"node","record":{},"index":-1}]', 0),
        (b'[{"op":"restore","seq":100000000000000000000000}]', 0),
        (b'[{"op":"update","kind":"node","id":"a","sett":{}}]', 0),
        (b'{"op":"remove"}', None),
        (b'[{"op":"add","kind":"node","record":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}]", None),
    ],
)
def test_ops_that_are_none_are_refused_with_their_index(raw: bytes, index: int | None) -> None:
    """RM6, OP1"""
    with pytest.raises(Invalid) as caught:
        decode_ops(raw)
    assert caught.value.facts.get("opIndex") == index


@given(st.lists(drawing.ops, max_size=4))
def test_ops_survive_the_wire(ops: list[Op]) -> None:
    """OP2"""
    raw = protocol.encode(ops)

    again = decode_ops(raw)

    assert protocol.encode(again) == raw
    assert protocol.digest_of(again) == protocol.digest_of(ops)


def test_white_space_does_not_make_another_push() -> None:
    """PU2, PU3"""
    tight, loose = b'[{"op":"remove","kind":"node","ids":["a"]}]', b'[ {"ids" : ["a"],\n"kind":"node","op":"remove"} ]'

    assert protocol.digest_of(decode_ops(tight)) == protocol.digest_of(decode_ops(loose))
    assert protocol.digest_of(decode_ops(tight)) != protocol.digest_of(decode_ops(tight.replace(b"a", b"b")))


@pytest.mark.parametrize(
    ("client_id", "number"), [("", 1), ("x" * 65, 1), ("nul\0", 1), ("a", 0), ("a", -1), ("a", 2**53)]
)
def test_a_client_that_cannot_be_counted_is_refused(client_id: str, number: int) -> None:
    """PU1"""
    with pytest.raises(Invalid):
        protocol.check_client(client_id, number)


def test_a_result_says_what_it_has_to_and_no_more() -> None:
    """PU7"""
    assert msgspec.json.decode(protocol.result_message(Result(3, 9, "commit"))) == {
        "type": "result",
        "clientSeq": 3,
        "seq": 9,
        "outcome": "commit",
    }
    rebase = msgspec.json.decode(protocol.result_message(Result(3, 9, "rebase", ops=[Add("node", node("a"))])))
    assert rebase["ops"] == [{"op": "add", "kind": "node", "record": node("a")}]


def test_an_author_is_told_without_what_it_does_not_have() -> None:
    """RS1"""
    assert msgspec.to_builtins(Author("ada", "job")) == {"userId": "ada", "origin": "job"}
    assert msgspec.to_builtins(Author("ada", "user", "tab", 1))["clientSeq"] == 1


def test_a_snapshot_comes_in_parts_nodes_first() -> None:
    """RS4"""
    nodes = [node(f"n{number}", data={"text": "x" * 1_000}) for number in range(600)]
    edges: list[dict[str, Any]] = [{"id": "e", "source": "n0", "target": "n1"}]

    messages = protocol.snapshot_messages(nodes, edges)

    parts = [msgspec.json.decode(message) for message in messages]
    assert [part["part"] for part in parts] == [1, 2, 3]
    assert {part["parts"] for part in parts} == {3}
    assert max(map(len, messages)) < protocol.MAX_SNAPSHOT_PART_BYTES + 1_000
    assert [record for part in parts for record in part["nodes"]] == nodes
    assert [record for part in parts for record in part["edges"]] == edges
    assert msgspec.json.decode(protocol.snapshot_messages([], [])[0])["parts"] == 1
    huge = protocol.snapshot_messages([node("a", data={"t": "x" * 900_000}), node("b")], [])
    assert len(huge) == 2
