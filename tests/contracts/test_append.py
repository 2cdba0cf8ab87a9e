"""What is written without the lock: whole, or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Add, Remove, Restore, SetWorkflow, Update
from canvas.push import Batch, Ledger, Past, Push
from canvas.room import Room
from canvas.store.append import append as append_to
from canvas.store.postgres import Connection, Pool
from tests.canvas import drawing
from tests.canvas.drawing import edge, node, state
from tests.canvas.world import World, adding, by_request, numbered
from tests.contracts.test_canvas_store import EVERY_VALUE, load, log_of, room_of, same, write

pytestmark = pytest.mark.anyio


def decided(room: Room, *pushes: Push) -> Batch:
    """As if no client had pushed before."""
    numbers = {push.client: (push.author.client_seq or 1) - 1 for push in pushes[::-1] if push.client}
    return room.prepare(list(pushes), Ledger(numbers, {}), Past(), datetime.min.replace(tzinfo=UTC))


async def append(world: World, room: Room, *pushes: Push) -> bool:
    batch = decided(room, *pushes)
    is_stored = await world.store.append(world.id, room.epoch, room.seq, batch)
    if is_stored:
        room.committed(batch)
    else:
        room.abandon()
    return is_stored


async def test_a_batch_is_appended_where_it_was_decided(world: World) -> None:
    """PU14, PU8, GR5"""
    room = await room_of(world)
    first = (node("a"), node("b", data={"every": EVERY_VALUE}), node("c", type=None, parentId="a"))
    ends = [Add("edge", edge("e", "a", "b")), Add("edge", edge("f", "b", "a"))]

    assert await append(world, room, numbered(world.ada, 1, *drawing.nodes(*first)), by_request(world.bob, *ends))
    assert await append(
        world,
        room,
        numbered(world.ada, 2, Update("node", "b", {"/data/p": 1}), adding("d")),
        numbered(world.ada, 3, Remove("node", ("c",)), Remove("edge", ("e",)), SetWorkflow({"/name": "Owls"})),
        numbered(world.ada, 4, adding("a", 9)),
    )

    document = await load(world)
    assert document.head.seq == room.seq == 4
    assert same(document.graph) == same(room.graph)
    assert [one.seq for one in await log_of(world)] == [1, 2, 3, 4]
    told = await world.store.resumption(world.id, world.ada, "tab", after=None, acked=0)
    assert [(one.client_seq, one.seq, one.outcome) for one in told.results] == [
        (1, 1, "commit"),
        (2, 3, "commit"),
        (3, 4, "commit"),
        (4, 4, "reject"),
    ]
    other = await room_of(world)
    await write(world, other, by_request(world.bob, Restore(4)))  # what was removed is kept, too
    assert sorted(other.graph.nodes) == ["a", "b", "c", "d"]


async def test_what_is_appended_carries_the_time_of_the_store(world: World) -> None:
    """PU14, RM3"""
    room = await room_of(world)
    batch = decided(room, numbered(world.ada, 1, adding("a")), numbered(world.ada, 2, adding("b")))

    assert await world.store.append(world.id, room.epoch, 0, batch)

    assert batch.transactions == await log_of(world)
    head = (await load(world)).head
    assert abs(head.at - batch.transactions[0].at) < timedelta(minutes=1)


async def test_what_was_decided_elsewhere_is_not_appended(world: World) -> None:
    """PU14"""
    room = await room_of(world)
    await write(world, room, numbered(world.ada, 1, adding("a")))
    stale = Room(world.id, room.epoch, 0, Graph(name="Foxes"))
    other_log = Room(world.id, "another", room.seq, (await load(world)).graph)
    unknown = Room("wf_unknown", room.epoch, room.seq, (await load(world)).graph)
    knows_too_little = Room(world.id, room.epoch, room.seq, (await load(world)).graph)

    assert not await append(world, stale, numbered(world.ada, 2, adding("b")))
    assert not await append(world, stale, numbered(world.ada, 2, Remove("node", ("a",))))  # it writes an answer only
    assert not await append(world, other_log, numbered(world.ada, 2, adding("b")))
    assert not await append(
        world, knows_too_little, numbered(world.bob, 1, adding("c")), numbered(world.ada, 1, adding("b"))
    )
    assert not await world.store.append(
        "wf_unknown", room.epoch, 1, decided(unknown, by_request(world.ada, adding("b")))
    )

    assert await world.log() == [1]
    assert [record["id"] for record in await world.stored()] == ["a"]
    assert [state(one.graph) for one in (stale, knows_too_little)] == [state(Graph(name="Foxes")), state(room.graph)]
    for account_id, last in ((world.ada, 1), (world.bob, 0)):
        told = await world.store.resumption(world.id, account_id, "tab", after=None, acked=0)
        assert told.last_client_seq == last
    await world.workflows.move_to_trash(world.id)
    assert not await append(world, room, numbered(world.ada, 2, adding("b")))


async def test_an_append_waits_for_who_holds_the_lock_and_looks_again(world: World) -> None:
    """PU14"""
    room, ahead = await room_of(world), await room_of(world)
    async with world.store.lock(world.id) as lock:
        first = asyncio.create_task(append(world, ahead, numbered(world.bob, 1, adding("b"))))
        await asyncio.wait({first}, timeout=0.05)
        batch = room.prepare([by_request(world.ada, adding("a"))], Ledger({}, {}), Past(), lock.head.at)
        await lock.write(batch)
        assert not first.done()
    room.committed(batch)

    assert not await first
    async with world.store.lock(world.id):
        second = asyncio.create_task(append(world, room, numbered(world.bob, 1, adding("b"))))
        await asyncio.wait({second}, timeout=0.05)
        assert not second.done()
    assert await second
    assert [one.by.user_id for one in await log_of(world)] == [world.ada, world.bob]


async def orphans(world: World) -> list[int]:
    """How much of the log and of the answers of a workflow is left."""
    return [
        await world.database.fetchval(f"SELECT count(*) FROM {table} WHERE workflow_id = $1", world.id)
        for table in ("workflow_ops", "workflow_pushes")
    ]


async def waits(connection: Connection, watcher: Pool) -> None:
    """Until what was asked of the connection waits for somebody's lock."""
    pid = connection.get_server_pid()
    async with asyncio.timeout(30):
        while not await watcher.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):
            pass


async def test_a_delete_that_waits_for_an_append_takes_along_what_it_stored(world: World) -> None:
    """RT2, PU14"""
    room = await room_of(world)
    batch = decided(room, numbered(world.ada, 1, adding("a")))
    async with world.database.acquire() as appends, world.database.acquire() as deletes:
        async with appends.transaction():
            assert await append_to(appends, world.id, room.epoch, 0, batch)
            deleting = asyncio.create_task(deletes.execute("DELETE FROM workflows WHERE id = $1", world.id))
            await waits(deletes, world.database)
        assert await deleting == "DELETE 1"

    assert await orphans(world) == [0, 0]


async def test_an_append_to_what_was_just_deleted_writes_nothing(world: World) -> None:
    """PU14, RT2: no reference would refuse it"""
    room = await room_of(world)
    batch = decided(room, numbered(world.ada, 1, adding("a")), numbered(world.ada, 2, adding("a", 9)))
    async with world.database.acquire() as appends, world.database.acquire() as deletes:
        async with deletes.transaction():
            await deletes.execute("DELETE FROM workflows WHERE id = $1", world.id)
            appending = asyncio.create_task(append_to(appends, world.id, room.epoch, 0, batch))
            await waits(appends, world.database)
        assert not await appending, "it waited for the delete"

    assert not await world.store.append(world.id, room.epoch, 0, batch), "it came after the delete"
    assert await orphans(world) == [0, 0]


async def test_an_append_that_the_database_refuses_leaves_nothing(world: World) -> None:
    """PU10, OP11"""
    room = await room_of(world)
    await write(world, room, by_request(world.ada, adding("a")))
    picture = node("b", data={"p": "data:image/png;base64," + "A" * 200})
    room.graph.put("node", picture, 9.0)
    transaction = msgspec.structs.replace((await log_of(world))[0], seq=2)

    batch = Batch(2, transactions=[transaction], touched=room.graph.touched())
    with pytest.raises(Invalid) as caught:
        await world.store.append(world.id, room.epoch, 1, batch)

    assert caught.value.code == "REFUSED_BY_STORE"
    assert await world.log() == [1]
