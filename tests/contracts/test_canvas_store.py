"""What a room may count on of PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from structlog.testing import capture_logs

from canvas.errors import Invalid, NotFound, Unavailable
from canvas.graph import Graph, Record
from canvas.ops import MAX_RECORD_BYTES, Add, Op, Remove, Restore, SetWorkflow, Update
from canvas.protocol import Author, Transaction, decode_transactions
from canvas.push import Batch, Ledger, Past, Push
from canvas.room import Room
from canvas.store.append import json
from canvas.store.port import Document
from canvas.store.postgres import Connection, Pool, PostgresLock, lock_workflow, set_on_node
from canvas.transfer import read_document
from tests.canvas import drawing
from tests.canvas.drawing import edge, node, state
from tests.canvas.world import World, adding, by_request, numbered, open_world

pytestmark = pytest.mark.anyio


async def load(world: World, workflow_id: str | None = None) -> Document:
    document = await world.store.load(workflow_id or world.id)
    assert document is not None
    return document


async def room_of(world: World) -> Room:
    document = await load(world)
    return Room(world.id, document.head.epoch, document.head.seq, document.graph)


async def log_of(world: World, after: int = 0) -> list[Transaction]:
    tail = await world.store.tail(world.id, after)
    assert tail is not None
    return tail.transactions


async def write(world: World, room: Room, *pushes: Push) -> Batch:
    async with world.store.lock(world.id) as lock:
        room.advance(await lock.since(room.seq))
        ledger = await lock.ledger(list(pushes))
        batch = room.prepare(list(pushes), ledger, await lock.past(list(pushes)), lock.head.at)
        await lock.write(batch)
    room.committed(batch)
    return batch


EVERY_VALUE = msgspec.json.decode(
    b"""[1, 1.0, -0.0, 1e300, 5e-324, 9007199254740991, true, null, {"b": 1, "a": {}},
        "", "\\u2028\xf0\x9f\xa6\x8a\\\\u0000"]"""
)


async def test_what_is_stored_comes_back_the_same(world: World) -> None:
    """GR5"""
    room = await room_of(world)
    records = [
        node("z", data={"every": EVERY_VALUE, "": 0}, type="image_generation", width=None, unknown={"kept": True}),
        {"id": "bare", "position": {"x": 1e15, "y": -0.0, "z": 1}},
        node("\u00e9\U0001f98a 'quoted\" \\", 1, 2, type=None, parentId="z"),
        node("a", type="", parentId=None),
    ]
    edges = [edge("e", "z", "a", sourceHandle=None, data=EVERY_VALUE), edge("d", "a", "a", type=None)]
    await write(world, room, by_request(world.ada, *drawing.nodes(*records)))
    await write(world, room, by_request(world.ada, *(Add("edge", record) for record in edges)))

    graph = (await load(world)).graph

    assert {record["id"]: record for record in graph.nodes_in_order()} == {record["id"]: record for record in records}
    assert msgspec.json.encode(graph.nodes["z"].record["data"]) == msgspec.json.encode(records[0]["data"])
    assert msgspec.json.encode(graph.edges_in_order()) == msgspec.json.encode(edges)
    assert [record["id"] for record in graph.nodes_in_order()] == [record["id"] for record in records]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pushes=drawing.pushes)
async def test_loading_equals_memory_after_any_sequence(database: Pool, pushes: list[list[Op]]) -> None:
    """GR1, GR2, GR5, OP9, PU8"""
    world = await open_world(database)
    room = await room_of(world)
    for ops in pushes:
        await write(world, room, by_request(world.ada, *ops))

    document = await load(world)
    replica = Room(world.id, "", 0, Graph(name="Foxes"))
    replica.advance(await log_of(world))

    assert document.head.seq == room.seq == replica.seq
    assert same(document.graph) == same(room.graph) == same(replica.graph)


def same(graph: Graph) -> object:
    """JSON has one kind of null viewport and its own order of keys."""
    wanted = state(graph)
    wanted["nodes"] = [(id_, placed.ord) for id_, placed in sorted(graph.nodes.items())]
    wanted["edges"] = [(id_, placed.ord) for id_, placed in sorted(graph.edges.items())]
    return wanted


async def test_an_unknown_workflow_and_one_in_the_trash_are_not_there(world: World) -> None:
    """CL3"""
    await world.workflows.move_to_trash(world.id)

    for workflow_id in (world.id, "wf_unknown"):
        assert await world.store.load(workflow_id) is None
        assert await world.store.heads([workflow_id]) == {}
        with pytest.raises(NotFound):
            async with world.store.lock(workflow_id):
                pass


async def test_two_processes_that_race_leave_no_gap(world: World) -> None:
    """PU8"""
    rooms = [await room_of(world), await room_of(world)]

    async def work(room: Room, name: str) -> None:
        for number in range(1, 21):
            await write(world, room, numbered(world.ada, number, adding(f"{name}{number}"), client_id=name))

    await asyncio.gather(*(work(room, name) for room, name in zip(rooms, "ab", strict=True)))

    assert await world.log() == list(range(1, 41))
    for room in rooms:
        room.advance(await log_of(world, room.seq))
        assert state(room.graph) == state((await load(world)).graph)


async def test_a_number_is_used_once(world: World) -> None:
    """PU2, PU3, PU4, PU5"""
    room = await room_of(world)
    first = await write(world, room, numbered(world.ada, 1, adding("a")))
    await write(world, room, numbered(world.ada, 2, adding("a", 9)))

    later = Room(world.id, room.epoch, room.seq, (await load(world)).graph)
    again = await write(
        world,
        later,
        numbered(world.ada, 1, adding("a")),
        numbered(world.ada, 1, adding("b")),
        numbered(world.ada, 2, adding("a", 9)),
        numbered(world.ada, 4, adding("c")),
        numbered(world.bob, 1, adding("bobs")),
        numbered(world.bob, 1, adding("bobs")),
    )

    results = [result for _, result in again.decisions]
    assert results[0] == first.decisions[0][1]
    codes = [result.error.code if result.error else result.outcome for result in results]
    assert codes == ["commit", "CLIENT_SEQ_REUSED", "ID_EXISTS", "SEQ_GAP", "commit", "commit"]
    assert results[3].last_client_seq == 2
    assert results[4] == results[5]
    assert await world.log() == [1, 2]


async def test_a_transaction_that_fails_leaves_nothing(world: World) -> None:
    """OP1, PU10"""
    room = await room_of(world)
    world.store.fail_before_commit = 1

    with pytest.raises(Unavailable):
        await write(world, room, numbered(world.ada, 1, adding("a")))

    assert await world.log() == []
    assert await world.stored() == []
    assert (await world.store.resumption(world.id, world.ada, "tab", after=0, acked=0)).last_client_seq == 0


async def test_the_database_refuses_a_picture_that_slipped_through(world: World) -> None:
    """OP11, PU10"""
    room = await room_of(world)
    await write(world, room, by_request(world.ada, adding("a")))
    record = node("b", data={"p": "data:image/png;base64," + "A" * 200})
    room.graph.put("node", record, 9.0)
    batch = Batch(2, touched=room.graph.touched())
    batch.transactions.append(msgspec.structs.replace((await log_of(world))[0], seq=2))

    with pytest.raises(Invalid) as caught:
        async with world.store.lock(world.id) as lock:
            await lock.write(batch)

    assert caught.value.code == "REFUSED_BY_STORE"
    assert await world.log() == [1]


_PICTURE = "data:image/png;base64," + "A" * 100
_WITH_TEXT = {
    "workflow_ops": "(workflow_id, seq, author_id, origin, ops) VALUES ($1, $3, 'ada', 'rest', $2::text::json)",
    "workflow_nodes": """
        (workflow_id, id, ord, position, fields, node_data) VALUES ($1, 'n' || $3::int, 1, '{}', '{}', $2::text::json)
        ON CONFLICT (workflow_id, id) DO UPDATE SET node_data = excluded.node_data""",
    "workflow_edges": """
        (workflow_id, id, source, target, ord, record) VALUES ($1, 'e' || $3::int, 'a', 'b', 1, $2::text::json)
        ON CONFLICT (workflow_id, id) DO UPDATE SET record = excluded.record""",
}


@pytest.mark.parametrize("table", _WITH_TEXT)
async def test_every_table_refuses_a_picture_and_nothing_that_only_looks_like_one(world: World, table: str) -> None:
    """OP11, PU10"""
    statement = f"INSERT INTO {table} {_WITH_TEXT[table]}"
    passes = (
        "",
        ";base64," + "A" * 200,
        'data:image/" and data:font/woff;base64,' + "A" * 200,
        _PICTURE[:-1],  # an icon of a few pixels
        _PICTURE.replace("png", "x" * 81),
        _PICTURE.upper(),
    )
    for number, text in enumerate(passes, 1):
        await world.database.execute(statement, world.id, json(text), number)

    for text in (_PICTURE, "data:image/ " + _PICTURE, "\n" * 9000 + _PICTURE.replace("png", "x" * 80) + " " * 9000):
        for number in (1, 99):  # over what is there, and new
            with pytest.raises(asyncpg.CheckViolationError):
                await world.database.execute(statement, world.id, json(text), number)

    assert await world.database.fetchval(f"SELECT count(*) FROM {table} WHERE workflow_id = $1", world.id) == 6


async def test_a_client_that_comes_back_is_told_what_it_missed(world: World) -> None:
    """RS1, RS2"""
    room = await room_of(world)
    for number in range(1, 6):
        await write(world, room, numbered(world.ada, number, adding(f"n{number}")))
    await write(world, room, numbered(world.ada, 6, adding("n1", 7)))

    told = await world.store.resumption(world.id, world.ada, "tab", after=3, acked=4)

    assert told.last_client_seq == 6
    assert [(result.client_seq, result.outcome) for result in told.results] == [(5, "commit"), (6, "reject")]
    assert told.missed is not None
    assert [(one.seq, one.by) for one in told.missed] == [
        (4, Author(world.ada, "user", "tab", 4)),
        (5, Author(world.ada, "user", "tab", 5)),
    ]
    stranger = await world.store.resumption(world.id, world.bob, "tab", after=None, acked=None)
    assert (stranger.last_client_seq, stranger.results, stranger.missed) == (0, [], None)


async def test_what_was_removed_can_be_brought_back_by_another_process(world: World) -> None:
    """OP9"""
    room = await room_of(world)
    document = (node("g"), node("a", 1, 1, parentId="g"), node("b", data={"every": EVERY_VALUE}))
    await write(world, room, by_request(world.ada, *drawing.nodes(*document)))
    await write(world, room, by_request(world.ada, Add("edge", edge("e", "a", "b"))))
    await write(world, room, by_request(world.ada, Remove("node", ("g", "b"))))

    other = await room_of(world)
    await write(world, other, by_request(world.bob, Restore(3)))

    graph = (await load(world)).graph
    assert graph.nodes_in_order() == list(document)
    assert list(graph.edges) == ["e"]


async def test_name_and_viewport_are_kept(world: World) -> None:
    """OP13, GR5"""
    room = await room_of(world)

    await write(
        world, room, by_request(world.ada, SetWorkflow({"/name": "Owls", "/viewport": {"x": -0.0, "y": 0, "zoom": 1}}))
    )

    graph = (await load(world)).graph
    assert (graph.name, repr(graph.viewport)) == ("Owls", "{'x': -0.0, 'y': 0, 'zoom': 1}")


async def test_workflows_that_are_created_share_nothing(world: World) -> None:
    """IM5: not a node of one appears in another"""
    ids = [await world.workflows.create(world.ada, name, read_document({"nodes": [node(name)]}, {})) for name in "abc"]

    for name, workflow_id in zip("abc", ids, strict=True):
        document = await load(world, workflow_id)
        assert [record["id"] for record in document.graph.nodes_in_order()] == [name]
        assert document.head.seq == 1


# Jobs


async def written_by_job(connection: Connection, world: World, node_id: str, values: Record, **more: Any) -> Any:
    head = await lock_workflow(connection, world.id)
    assert head is not None
    return await set_on_node(connection, world.id, head, node_id, values, **more)


async def test_a_job_writes_to_one_node_as_one_more_author(world: World) -> None:
    """PU11"""
    room = await room_of(world)
    await write(
        world, room, by_request(world.ada, *drawing.nodes(node("a", data={"old": 1, "prompt": "fox"}), node("b")))
    )

    async with world.database.acquire() as connection, connection.transaction():
        values = {"/data/status": "running"}
        hint = await written_by_job(connection, world, "a", values, author_id=world.ada, unset=("/data/old",))

    assert hint is not None
    assert hint.head == 2
    room.advance(decode_transactions(hint.transactions))
    assert room.graph.nodes["a"].record["data"] == {"prompt": "fox", "status": "running"}
    assert state(room.graph) == state((await load(world)).graph)
    assert (await log_of(world, 1))[0].by == Author(world.ada, "job")


async def test_a_job_finds_nothing_to_write_to(world: World) -> None:
    """PU11, PU6"""
    room = await room_of(world)
    await write(world, room, by_request(world.ada, adding("a")))

    async with world.database.acquire() as connection, connection.transaction():
        for node_id, values in (("gone", {"/data/p": 1}), ("a", {})):
            assert await written_by_job(connection, world, node_id, values, author_id=world.ada) is None
    await write(world, room, by_request(world.ada, Update("node", "a", {"/data/p": 1})))
    async with world.database.acquire() as connection, connection.transaction():
        assert await written_by_job(connection, world, "a", {"/data/p": 1}, author_id=world.ada) is None

    assert await world.log() == [1, 2]


async def test_a_job_that_would_burst_a_node_is_logged(world: World) -> None:
    """PU11, LM1"""
    room = await room_of(world)
    await write(
        world, room, by_request(world.ada, *drawing.nodes(node("a", data={"much": "x" * (MAX_RECORD_BYTES - 90)})))
    )

    with capture_logs() as logs:
        async with world.database.acquire() as connection, connection.transaction():
            assert await written_by_job(connection, world, "a", {"/data/p": "y" * 99}, author_id=world.ada) is None

    assert [(line["event"], line["code"]) for line in logs] == [("node.write_refused", "RECORD_TOO_LARGE")]
    assert await world.log() == [1]


async def test_a_lock_reads_no_more_than_there_is(world: World) -> None:
    """PU8"""
    async with world.store.lock(world.id) as lock:
        assert isinstance(lock, PostgresLock)
        assert await lock.since(lock.head.seq) == []
        assert await lock.ledger([]) == Ledger({}, {})
        assert await lock.past([]) == Past()
        assert await lock.past([by_request(world.ada, Restore(99))]) == Past()
