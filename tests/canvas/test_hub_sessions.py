from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canvas.errors import Invalid, NotFound, Unavailable
from canvas.hub import Hub, open_hub
from canvas.ops import Add, Update
from canvas.protocol import ResumePoint
from canvas.relay.memory import MemoryRelay
from canvas.relay.port import AccessHint, DeletedHint
from tests.canvas.drawing import node
from tests.canvas.world import Client, World, adding, by_request, numbered

pytestmark = pytest.mark.anyio


async def two(world: World) -> tuple[Hub, Client, Client]:
    hub = world.hub()
    return hub, await world.client(hub).join(), await world.client(hub, world.bob).join()


async def test_a_newcomer_gets_the_document_in_parts_and_then_what_follows(world: World) -> None:
    """RS3, RS4, RM1"""
    hub = world.hub()
    ada = await world.client(hub).join()
    for number in range(1, 7):
        await ada.pushed(number, Add("node", node(f"n{number}", data={"text": "x" * 90_000})))

    bob = await world.client(hub, world.bob).join()
    await ada.pushed(7, adding("last"))
    await bob.until_seq(7)

    assert bob.types() == ["welcome", "snapshot", "snapshot", "snapshot", "ops"]
    welcome = bob.heard[0]
    assert (welcome["seq"], welcome["mode"], welcome["lastClientSeq"], welcome["results"]) == (6, "snapshot", 0, [])
    assert [record["id"] for part in bob.of("snapshot") for record in part["nodes"]] == [f"n{n}" for n in range(1, 7)]


async def test_who_comes_back_hears_what_it_missed_and_the_results_it_lost(world: World) -> None:
    """RS1"""
    hub, ada, bob = await two(world)
    await ada.pushed(1, adding("a"))
    epoch = ada.heard[0]["epoch"]
    await ada.push(2, adding("b"))
    hub.leave(world.id, ada.session_id)
    await bob.pushed(1, adding("c"))

    back = await world.client(hub).join(resume=ResumePoint(epoch, 1, 1))

    assert back.types() == ["welcome", "ops"]
    assert (back.heard[0]["mode"], back.heard[0]["lastClientSeq"]) == ("resume", 2)
    assert [(one["clientSeq"], one["seq"]) for one in back.heard[0]["results"]] == [(2, 2)]
    assert [(one["seq"], one["by"].get("clientSeq")) for one in back.heard[1]["transactions"]] == [(2, 2), (3, 1)]
    assert (await back.pushed(2, adding("b")))["seq"] == 2
    assert (await back.pushed(3, adding("d")))["seq"] == 4


@pytest.mark.parametrize("resume", [ResumePoint("another", 1), ResumePoint("", 9), ResumePoint("", 0)])
async def test_who_cannot_resume_gets_a_snapshot(world: World, resume: ResumePoint) -> None:
    """RS2"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    await ada.pushed(2, adding("b"))
    await world.database.execute("DELETE FROM workflow_ops WHERE workflow_id = $1 AND seq = 1", world.id)
    epoch = resume.epoch or ada.heard[0]["epoch"]

    back = await world.client(hub).join(resume=ResumePoint(epoch, resume.seq))

    assert (back.types(), back.heard[0]["mode"]) == (["welcome", "snapshot"], "snapshot")


async def test_a_long_log_is_told_in_few_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RS7, RS2"""
    monkeypatch.setattr("canvas.resuming.MAX_RESUME_AS_IT_WAS", 3)
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    for number in range(2, 7):
        await ada.pushed(number, Update("node", "a", {"/data/prompt": f"fox {number}"}))
    epoch = ada.heard[0]["epoch"]

    back = await world.client(hub).join(resume=ResumePoint(epoch, 1, 6))
    shortly = await world.client(hub).join(resume=ResumePoint(epoch, 3, 6))
    assert [len(one["ops"]) for one in back.heard[1]["transactions"]] == [0, 0, 0, 0, 1]
    assert [len(one["ops"]) for one in shortly.heard[1]["transactions"]] == [1, 1, 1]

    monkeypatch.setattr("canvas.resuming.MAX_RESUME", 4)
    assert (await world.client(hub).join(resume=ResumePoint(epoch, 1, 6))).heard[0]["mode"] == "snapshot"
    monkeypatch.setattr("canvas.store.postgres.MAX_RESUME_BYTES", 10)
    assert (await world.client(hub).join(resume=ResumePoint(epoch, 3, 6))).heard[0]["mode"] == "snapshot"


async def test_a_result_above_the_welcome_comes_as_ops(world: World) -> None:
    """RS3: another process commits the client's last push while it comes back here"""
    hub, other = world.hub(), world.hub(MemoryRelay())
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    room = await hub.read(world.id)
    resumption = world.store.resumption

    async def late(*args: Any, **kwargs: Any) -> Any:
        await other.push(world.id, numbered(world.ada, 2, adding("b")))
        return await resumption(*args, **kwargs)

    world.store.resumption = late  # type: ignore[method-assign]
    back = await world.client(hub).join(resume=ResumePoint(room.epoch, 1, 1))

    assert (back.heard[0]["seq"], back.heard[0]["lastClientSeq"], back.heard[0]["results"]) == (1, 1, [])
    await hub.poll()
    await back.until_seq(2)


async def test_resync_is_a_fresh_snapshot_on_the_same_socket(world: World) -> None:
    """RS5"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))

    await ada.say(type="resync")

    assert ada.types() == ["welcome", "snapshot", "result", "welcome", "snapshot"]
    assert (ada.heard[3]["seq"], ada.heard[3]["lastClientSeq"]) == (1, 1)
    await ada.say(type="ping", t=7)
    assert ada.heard[-1] == {"type": "pong", "t": 7, "seq": 1}


async def test_a_socket_that_goes_while_it_is_served_is_let_go(world: World) -> None:
    """RS6"""
    hub, ada, bob = await two(world)
    resumption = world.store.resumption

    async def leaving(*args: Any, **kwargs: Any) -> Any:
        hub.leave(world.id, ada.session_id)
        return await resumption(*args, **kwargs)

    world.store.resumption = leaving  # type: ignore[method-assign]
    await ada.say(type="resync")
    await ada.say(type="ping")

    assert ada.types() == ["welcome", "snapshot"]
    assert list((await hub.read(world.id)).sessions) == [bob.session_id]


async def test_a_room_that_closes_while_somebody_comes_in_turns_them_away(world: World) -> None:
    """RS6, CL3"""
    hub = world.hub()
    resumption = world.store.resumption

    async def closing(*args: Any, **kwargs: Any) -> Any:
        world.relay.publish(world.id, DeletedHint())
        return await resumption(*args, **kwargs)

    world.store.resumption = closing  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await world.client(hub).join()

    world.store.resumption = resumption  # type: ignore[method-assign]
    assert (await (await world.client(hub).join()).pushed(1, adding("a")))["seq"] == 1


async def test_a_workflow_that_is_deleted_while_it_opens_is_not_found(world: World) -> None:
    """RS6, CL3"""

    async def deletes(_: str) -> list[dict[str, Any]]:
        world.relay.publish(world.id, DeletedHint())
        return []

    hub = Hub(world.store, world.relay, world.workflows.roles_of, deletes)

    with pytest.raises(NotFound):
        await world.client(hub).join()
    assert hub._rooms == {}


async def test_a_client_id_that_is_none_is_refused(world: World) -> None:
    """PU1"""
    hub = world.hub()

    for client_id in ("", "x" * 65, "nul\0"):
        with pytest.raises(Invalid):
            await world.client(hub, client_id=client_id).join()


async def test_an_empty_room_is_put_away_and_opened_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RS6"""
    hub, ada, _ = await two(world)
    await ada.pushed(1, adding("a"))
    monkeypatch.setattr("canvas.hub.IDLE_S", -1.0)

    await hub.keep()
    assert world.id in hub._rooms
    for session_id in list((await hub.read(world.id)).sessions):
        hub.leave(world.id, session_id)
    await hub.keep()

    assert hub._rooms == {}
    assert world.relay._listeners == {world.id: []}
    assert (await (await world.client(hub).join()).pushed(2, adding("b")))["seq"] == 2


# Closing


async def test_a_second_socket_of_a_client_closes_the_first(world: World) -> None:
    """CL1"""
    hub = world.hub()
    first = await world.client(hub).join()
    elsewhere = world.hub()
    stranger = await world.client(hub, world.bob).join()

    second = await world.client(hub).join()
    assert first.closed is not None
    assert first.closed[0] == 4010
    third = await world.client(elsewhere).join()
    assert second.closed is not None
    assert second.closed[0] == 4010
    hub.leave(world.id, first.session_id)

    assert (third.closed, stranger.closed) == (None, None)


async def test_a_slow_socket_is_closed_and_the_others_hear_everything(world: World) -> None:
    """CL2"""
    hub, ada, bob = await two(world)
    bob.is_stuck = True

    await ada.pushed(1, adding("a"))

    assert bob.closed is not None
    assert bob.closed[0] == 4008
    assert list((await hub.read(world.id)).sessions) == [ada.session_id]
    await bob.push(1, adding("b"))
    assert (await ada.pushed(2, adding("b")))["seq"] == 2


async def test_deleting_closes_everybody(world: World) -> None:
    """CL3"""
    hub, ada, _ = await two(world)
    await world.workflows.move_to_trash(world.id)

    world.relay.publish(world.id, DeletedHint())

    assert ada.closed == (4504, "This workflow was deleted.")
    with pytest.raises(NotFound):
        await world.client(hub).join()
    await hub.poll()
    await world.workflows.take_from_trash(world.id)
    await world.client(hub).join()


async def test_a_deletion_whose_hint_was_lost_is_found(world: World) -> None:
    """CL3"""
    hub, ada, bob = await two(world)
    await world.workflows.move_to_trash(world.id)

    await hub.poll()
    assert await ada.until_closed() == 4504
    await bob.push(1, adding("a"))

    assert hub._rooms == {}


async def test_pushes_into_a_deleted_workflow_are_told(world: World) -> None:
    """CL3"""
    hub, ada, _ = await two(world)
    await world.workflows.move_to_trash(world.id)

    await ada.push(1, adding("a"))
    with pytest.raises(NotFound):
        await hub.push(world.id, by_request(world.ada, adding("b")))

    assert await ada.until_closed() == 4504


async def test_a_role_that_changes_is_told_and_one_that_is_lost_closes(world: World) -> None:
    """CL4, PR2"""
    hub, ada, bob = await two(world)
    await bob.say(type="presence", set={"drag": {"a": {"x": 1, "y": 1}}})
    await world.workflows.set_member(world.id, world.bob, "viewer", by=world.ada)

    world.relay.publish(world.id, AccessHint())
    assert (await bob.until(lambda message: message["type"] == "role"))["role"] == "viewer"
    assert (await bob.pushed(1, adding("a")))["error"]["code"] == "FORBIDDEN"
    await hub.tick()
    assert ada.of("frame")[-1]["presence"][bob.session_id]["drag"] is None

    await world.workflows.remove_member(world.id, world.bob, by=world.ada)
    await hub.poll()  # the hint was lost
    assert await bob.until_closed() == 4503
    assert ada.closed is None


async def test_who_comes_in_while_roles_are_checked_stays(world: World) -> None:
    """CL4"""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def roles_of(workflow_id: str, accounts: list[str]) -> Any:
        asked.set()
        await go_on.wait()
        return await world.workflows.roles_of(workflow_id, accounts)

    hub = Hub(world.store, world.relay, roles_of, world.hub()._live_runs)
    await world.client(hub).join()
    world.relay.publish(world.id, AccessHint())
    await asked.wait()
    bob = await world.client(hub, world.bob).join()
    go_on.set()
    await hub.poll()

    assert bob.closed is None


async def test_a_role_that_changes_at_the_door_counts_as_it_is_now(world: World) -> None:
    """CL4"""
    hub = world.hub()
    told_at_the_door = (await world.store.heads([world.id]))[world.id].access
    await world.workflows.set_member(world.id, world.bob, "viewer", by=world.ada)
    bob = world.client(hub, world.bob)

    await bob.join("editor", access=told_at_the_door)
    assert bob.heard[0]["role"] == "viewer"

    await world.workflows.remove_member(world.id, world.bob, by=world.ada)
    with pytest.raises(NotFound):
        await bob.join("viewer", access=told_at_the_door)


async def test_nobody_is_asked_for_again_while_no_role_changes(world: World) -> None:
    """CL4: a poll costs one query, however many are here"""
    asked: list[str] = []

    async def roles_of(workflow_id: str, accounts: list[str]) -> Any:
        asked.append(workflow_id)
        return await world.workflows.roles_of(workflow_id, accounts)

    hub = Hub(world.store, world.relay, roles_of, world.hub()._live_runs)
    await world.client(hub).join()
    await hub.poll()
    await hub.poll()
    assert asked == []

    await world.workflows.set_member(world.id, world.bob, "viewer", by=world.ada)
    await hub.poll()
    await hub.poll()
    assert asked == [world.id]


async def test_another_epoch_sends_everybody_away_to_load_again(world: World) -> None:
    """CL5"""
    hub, ada, bob = await two(world)
    await world.set_epoch("restored")

    await ada.push(1, adding("a"))
    assert await ada.until_closed() == 4009
    assert bob.closed is not None

    back = await world.client(hub, client_id="new").join()
    assert back.heard[0]["epoch"] == "restored"


async def test_a_server_that_goes_away_says_so(world: World) -> None:
    """CL5"""
    async with open_hub(world.store, world.relay, world.workflows.roles_of, world.hub()._live_runs) as hub:
        ada = await world.client(hub).join()
        await ada.push(1, adding("a"))

    assert ada.closed is not None
    assert ada.closed[0] == 4000
    assert await world.log() == [1]


async def test_a_clock_survives_what_it_meets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RM3: a poll that fails is not the last"""
    monkeypatch.setattr("canvas.hub.POLL_S", 0)
    heads, failures = world.store.heads, [ZeroDivisionError("a bug"), Unavailable("away")]

    async def failing(workflow_ids: list[str]) -> Any:
        if failures and not opening:
            raise failures.pop()
        return await heads(workflow_ids)

    opening = True
    world.store.heads = failing  # type: ignore[method-assign]
    async with open_hub(world.store, MemoryRelay(), world.workflows.roles_of, world.hub()._live_runs) as hub:
        ada = await world.client(hub).join()
        opening = False
        await world.hub().push(world.id, by_request(world.bob, adding("a")))
        await ada.until_seq(1)

    assert failures == []
