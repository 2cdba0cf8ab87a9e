"""Commits without the lock: what they cost, and what becomes of those that the store does not take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canvas import open_room, write_ahead
from canvas.ops import Remove, Update
from canvas.protocol import ResumePoint
from canvas.push import Batch, Push
from canvas.relay.memory import MemoryRelay
from canvas.room import Room
from tests.canvas.world import World, adding, by_request, numbered

pytestmark = pytest.mark.anyio


async def test_who_edits_alone_never_waits_for_the_lock(world: World) -> None:
    """PU14: from the first push on, after a resume too, a refused one as well"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    await ada.pushed(2, adding("a", 9))
    hub.leave(world.id, ada.session_id)
    again = await world.client(hub).join(resume=ResumePoint(await epoch(world), 1, 2))
    await again.pushed(3, Update("node", "a", {"/data/p": 1}))
    await hub.push(world.id, by_request(world.bob, adding("b")))

    assert (world.store.locks, world.store.commits, await world.log()) == (0, 4, [1, 2, 3])


async def test_what_reaches_back_is_decided_under_the_lock(world: World) -> None:
    """PU14, PU2, PU3, PU4, UN1"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))

    await ada.pushed(1, adding("a"))
    await ada.pushed(1, adding("b"))
    await ada.pushed(3, adding("b"))
    await ada.say(type="push", clientSeq=2, ops=[Remove("node", ("a",))], undoOf=1)
    await ada.until(lambda message: message.get("clientSeq") == 2)

    assert world.store.locks == 4
    told = [result.get("error", {}).get("code", result["outcome"]) for result in ada.of("result")]
    assert told == ["commit", "commit", "CLIENT_SEQ_REUSED", "SEQ_GAP", "commit"]
    assert await world.log() == [1, 2]


async def test_what_others_wrote_meanwhile_is_found_under_the_lock(world: World) -> None:
    """PU14, RM1, RM3: by another process; after that nobody else writes, and the lock is not needed any more"""
    hub, other = world.hub(), world.hub(MemoryRelay())
    ada, bob = await world.client(hub).join(), await world.client(other, world.bob).join()
    await bob.pushed(1, adding("a", 1))
    assert world.store.locks == 0

    refused = await ada.pushed(1, adding("a", 2))
    assert refused["error"]["code"] == "ID_EXISTS"
    assert (refused["seq"], ada.seqs(), world.store.locks) == (1, [1], 1)
    await ada.pushed(2, adding("b"))
    await ada.pushed(3, adding("c"))

    assert (world.store.locks, await world.log()) == (2, [1, 2, 3])
    assert (await hub.read(world.id)).graph.nodes_in_order() == await world.stored()


async def test_a_client_that_pushed_elsewhere_meanwhile_is_answered_what_it_was_then(world: World) -> None:
    """PU14, PU2, PU3"""
    hub, other = world.hub(), world.hub(MemoryRelay())
    ada = await world.client(hub).join()
    first = await other.push(world.id, numbered(world.ada, 1, adding("a", 1), adding("b")))
    await hub.read(world.id)  # it has the log, and does not know that the number is used

    again = await ada.pushed(1, adding("a", 1), adding("b"))
    used = await ada.pushed(1, adding("c"))

    assert (again["outcome"], again["seq"], first.seq) == ("commit", 1, 1)
    assert used["error"]["code"] == "CLIENT_SEQ_REUSED"
    assert await world.log() == [1]


async def test_nothing_is_answered_from_memory_alone(world: World) -> None:
    """PU14: what would write nothing is decided on the newest document, whoever wrote to it"""
    hub, other = world.hub(), world.hub(MemoryRelay())
    await hub.push(world.id, by_request(world.ada, adding("a")))
    await other.push(world.id, by_request(world.bob, Update("node", "a", {"/data/p": 1})))

    back = await hub.push(world.id, by_request(world.ada, Update("node", "a", {}, ("/data/p",))))
    gone = await other.push(world.id, by_request(world.bob, Remove("node", ("b",))))

    assert (back.seq, gone.seq) == (3, 3)
    assert (await world.stored())[0]["data"] == {}


async def test_a_statement_that_arrives_late_finds_the_log_grown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU14, PU9: its connection was given up, its push was tried again meanwhile"""
    monkeypatch.setattr(open_room, "RETRY_S", 0)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    late = world.store.break_on_the_way()

    result = await ada.pushed(1, adding("a"))
    assert await late() is False
    await bob.until_seq(1)

    assert (result["outcome"], await world.log()) == ("commit", [1])


async def test_a_statement_that_arrives_first_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU14, PU9, RM2: its connection was given up, and it was carried out before the second try"""
    monkeypatch.setattr(open_room, "RETRY_S", 0)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.fail_after_commit = 1

    await asyncio.gather(ada.pushed(1, adding("a")), bob.pushed(1, adding("b")))
    await ada.until_seq(2)

    assert ada.seqs() == bob.seqs() == await world.log() == [1, 2]


async def test_a_commit_is_told_while_the_next_one_is_written(world: World) -> None:
    """PU15, PU8: the last one at once"""
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)  # it is on its way alone
    await ada.push(2, adding("b"))

    world.store.passes.release()
    await ada.until_seq(1)
    await bob.until_seq(1)
    assert await world.log() == [1]
    world.store.passes.release()
    await ada.until_seq(2)
    await bob.until_seq(2)

    assert ada.seqs() == bob.seqs() == [1, 2]


async def test_what_is_stored_is_told_before_a_number_says_so(world: World) -> None:
    """PU15: a pong's seq is what its client has heard of"""
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(1)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await ada.push(2, adding("b"))
    await ada.until_seq(1)

    await bob.say(type="ping", t=1)

    assert bob.seqs()[-1] == bob.of("pong")[-1]["seq"] == 1
    world.store.passes.release()
    await bob.until_seq(2)


async def test_what_comes_while_a_commit_is_stored_is_decided_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PU14: so nothing is left to decide when it is its turn; and whoever comes in does not wait for all of them"""
    decided: list[int] = []
    decide = Room.decide

    def noted(room: Room, batch: Batch, push: Push, *others: Any) -> None:
        decided.append(push.author.client_seq or 0)
        decide(room, batch, push, *others)

    monkeypatch.setattr(Room, "decide", noted)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await ada.push(2, Update("node", "a", {"/data/p": 1}))
    await turns()
    await bob.push(3, Update("node", "a", {"/data/p": 3}))  # a number after a gap: only the store can tell
    await turns()
    assert decided == [1, 2]

    coming = asyncio.create_task(world.client(hub, world.bob, "another tab").join())
    await turns()
    await ada.push(3, Update("node", "a", {"/data/p": 2}))
    world.store.passes.release()
    world.store.passes.release()
    assert (await coming).of("welcome")[0]["seq"] == 2
    world.store.passes.release()
    await ada.until_seq(3)

    await bob.until(lambda message: message["type"] == "result")

    assert await world.log() == [1, 2, 3]
    assert bob.of("result")[0]["error"]["code"] == "SEQ_GAP"


async def test_a_busy_room_gathers_until_its_next_commit_is_due_and_a_full_one_goes_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PU16, PU15: what is stored is told before it waits"""
    monkeypatch.setattr(write_ahead, "PACE_S", 3600)
    monkeypatch.setattr(write_ahead, "MAX_BATCH", 11)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await ada.push(2, adding("b"))
    await turns()

    world.store.passes.release()
    world.store.passes.release()
    await ada.until_seq(1)
    await bob.until_seq(1)
    for number in range(3, 13):
        assert (world.store.commits, ada.seqs()) == (1, [1])
        await ada.push(number, Update("node", "a", {"/data/p": number}))
        await turns()
    await ada.until_seq(12)
    await bob.until_seq(12)

    assert world.store.commits == 2
    assert await world.log() == [*range(1, 13)]


async def test_a_quiet_room_waits_for_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU16"""
    monkeypatch.setattr(write_ahead, "PACE_S", 3600)
    ada = await world.client(world.hub()).join()

    for number in range(1, 4):
        await ada.pushed(number, adding(f"n{number}"))

    assert world.store.commits == 3


async def test_what_was_decided_ahead_of_a_commit_that_failed_is_decided_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PU14, PU9"""
    monkeypatch.setattr(open_room, "RETRY_S", 0)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    world.store.fail_before_commit = 1
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await ada.push(2, Update("node", "a", {"/data/p": 1}))
    await bob.push(1, Update("node", "a", {"/data/q": 1}))
    await turns()

    for _ in range(9):
        world.store.passes.release()
    await ada.until_seq(3)
    await bob.until_seq(3)

    assert [result["outcome"] for result in (*ada.of("result"), *bob.of("result"))] == ["commit"] * 3
    assert (await hub.read(world.id)).graph.nodes_in_order() == await world.stored()


async def test_the_role_counts_that_is_there_when_the_next_commit_begins(world: World) -> None:
    """PU13: whatever was decided while the one before was stored"""
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await bob.push(1, adding("b"))
    await turns()
    hub._rooms[world.id].room.change_role(bob.session_id, "viewer")

    for _ in range(3):
        world.store.passes.release()
    await bob.until(lambda message: message["type"] == "result")

    assert bob.of("result")[0]["error"]["code"] == "FORBIDDEN"
    assert [node["id"] for node in await world.stored()] == ["a"]


async def test_the_role_counts_that_is_there_when_what_was_gathered_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PU16, PU13"""
    monkeypatch.setattr(write_ahead, "PACE_S", 3600)
    monkeypatch.setattr(write_ahead, "MAX_BATCH", 2)
    hub = world.hub()
    ada, bob = await world.client(hub).join(), await world.client(hub, world.bob).join()
    world.store.passes = asyncio.Semaphore(0)
    await ada.push(1, adding("a"))
    await asyncio.sleep(0)
    await bob.push(1, adding("b"))
    await turns()
    for _ in range(3):
        world.store.passes.release()
    await bob.until_seq(1)

    hub._rooms[world.id].room.change_role(bob.session_id, "viewer")
    await ada.push(2, adding("c"))
    await bob.until(lambda message: message["type"] == "result")

    assert bob.of("result")[0]["error"]["code"] == "FORBIDDEN"
    assert [node["id"] for node in await world.stored()] == ["a", "c"]


async def turns() -> None:
    """For everybody who is ready, and for those whom that makes ready."""
    for _ in range(5):
        await asyncio.sleep(0)


async def epoch(world: World) -> str:
    return (await world.store.heads([world.id]))[world.id].epoch
