from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from canvas.hub import Hub, open_hub
from canvas.ops import Remove, Update
from canvas.relay.memory import MemoryRelay
from canvas.relay.port import ClientHint, Hint, OpsHint, RunsHint
from canvas.relay.redis import open_relay
from canvas.store.postgres import lock_workflow, set_on_node
from tests.canvas.drawing import node
from tests.canvas.world import Client, World, adding, open_world

pytestmark = pytest.mark.anyio


async def two(world: World) -> tuple[Hub, Client, Client]:
    hub = world.hub()
    return hub, await world.client(hub).join(), await world.client(hub, world.bob).join()


async def test_frames_are_merged_and_the_same_for_everybody(world: World) -> None:
    """RM5, PR1"""
    hub, ada, bob = await two(world)
    await hub.tick()

    for number in range(5):
        await ada.say(type="presence", set={"cursor": {"x": number, "y": 0}})
    await bob.say(type="presence", set={"editing": "a"})
    await hub.tick()

    wanted = {ada.session_id: {"cursor": {"x": 4.0, "y": 0.0}}, bob.session_id: {"editing": "a"}}
    assert ada.of("frame")[-1] == bob.of("frame")[-1] == {"type": "frame", "presence": wanted, "left": [], "runs": []}
    carol = await world.client(hub, world.eve).join("viewer")
    assert carol.heard[0]["presence"][ada.session_id]["cursor"] == {"x": 4.0, "y": 0.0}
    assert carol.session_id not in carol.heard[0]["presence"]
    hub.leave(world.id, bob.session_id)
    await hub.tick()
    assert ada.of("frame")[-1]["left"] == [bob.session_id]


@pytest.mark.parametrize("moved", [5, 0])
async def test_a_drag_ends_with_its_commit(world: World, moved: int) -> None:
    """PR3: also when it ends where it began"""
    hub, ada, bob = await two(world)
    await ada.pushed(1, adding("a"))
    await ada.say(type="presence", set={"drag": {"a": {"x": 3, "y": 3}}})
    await hub.tick()

    await ada.pushed(2, Update("node", "a", {"/position": {"x": moved, "y": 0}}))
    await hub.tick()

    assert bob.heard[-1]["presence"] == {ada.session_id: {"drag": None}}
    assert bob.types()[-2:] == (["ops", "frame"] if moved else ["frame", "frame"])


async def test_a_drag_of_a_removed_node_ends_and_a_refused_removal_ends_none(world: World) -> None:
    """PR3"""
    hub, ada, bob = await two(world)
    await ada.pushed(1, adding("a"))
    await ada.say(type="presence", set={"drag": {"a": {"x": 3, "y": 3}}})
    await hub.tick()

    await bob.pushed(1, Remove("node", ("a",)), adding("a"), adding("a", 9))
    assert not (await hub.read(world.id)).is_dirty
    await bob.pushed(2, Remove("node", ("a",)))
    await hub.tick()

    assert ada.heard[-1]["presence"] == {ada.session_id: {"drag": None}}


async def test_runs_are_shown_and_late_news_of_an_ended_one_are_not(world: World) -> None:
    """RM5"""
    hub, ada, _ = await two(world)
    for run in (
        {"jobId": "r1", "nodeId": "a", "status": "running", "progress": 10},
        {"jobId": "r1", "progress": 40},
        {"jobId": "r2", "nodeId": "b", "status": "running"},
        {"jobId": "r2", "status": "completed"},
        {"jobId": "r2", "status": "running", "progress": 99},
    ):
        world.relay.publish(world.id, RunsHint((run,)))
    await hub.tick()

    assert ada.of("frame")[-1]["runs"] == [
        {"jobId": "r1", "nodeId": "a", "status": "running", "progress": 40},
        {"jobId": "r2", "nodeId": "b", "status": "completed"},
    ]
    bob = await world.client(hub, world.bob, "other").join()
    assert [run["jobId"] for run in bob.heard[0]["runs"]] == ["r1"]


async def test_what_a_job_writes_appears(world: World) -> None:
    """PU11, RM3"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))

    async with world.database.acquire() as connection, connection.transaction():
        head = await lock_workflow(connection, world.id)
        assert head is not None
        hint = await set_on_node(connection, world.id, head, "a", {"/data/status": "running"}, author_id=world.ada)
    assert hint is not None
    world.relay.publish(world.id, hint)

    assert ada.heard[-1]["transactions"][0]["by"]["origin"] == "job"
    assert (await hub.read(world.id)).graph.nodes["a"].record["data"] == {"status": "running"}


# Several processes


class LossyRelay(MemoryRelay):
    def publish(self, workflow_id: str, hint: Hint) -> None:
        if not isinstance(hint, OpsHint):
            super().publish(workflow_id, hint)


async def test_processes_converge_when_hints_are_lost(world: World) -> None:
    """RM1, RM3"""
    relay = LossyRelay()
    hubs = [world.hub(relay), world.hub(relay)]
    ada, bob = await world.client(hubs[0]).join(), await world.client(hubs[1], world.bob).join()
    for number in range(1, 11):
        await asyncio.gather(ada.pushed(number, adding(f"a{number}")), bob.pushed(number, adding(f"b{number}")))

    for hub in hubs:
        await hub.poll()
    await ada.until_seq(20)
    await bob.until_seq(20)

    assert ada.seqs() == bob.seqs() == list(range(1, 21))
    documents = [(await hub.read(world.id)).graph.nodes_in_order() for hub in hubs]
    assert documents[0] == documents[1] == await world.stored()


class ListeningRelay(MemoryRelay):
    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []

    def publish(self, workflow_id: str, hint: Hint) -> None:
        if isinstance(hint, OpsHint) and hint.first:
            self.commits.append(hint.head)
        super().publish(workflow_id, hint)


async def test_commits_are_told_to_processes_that_have_the_room_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RM3: to nobody else; one that opens it meanwhile is told where the log stands"""
    relay = ListeningRelay()
    hub, other = world.hub(relay), world.hub(relay)
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    assert relay.commits == []

    bob = await world.client(other, world.bob).join()
    await ada.pushed(2, adding("b"))
    assert relay.commits == [2]
    await bob.until_seq(2)

    for at in (10.0, 20.0):  # silent for longer than three keyframes
        later = asyncio.get_running_loop().time() + at
        monkeypatch.setattr(hub, "_now", lambda later=later: later)
        await hub.poll()
    await ada.pushed(3, adding("c"))
    assert relay.commits == [2]
    await other.keep()
    await ada.pushed(4, adding("d"))
    await bob.until_seq(4)

    assert (relay.commits, bob.seqs()) == ([2, 4], [2, 3, 4])


async def test_presence_crosses_processes(world: World) -> None:
    """PR4"""
    hubs = [world.hub(), world.hub()]
    ada, bob = await world.client(hubs[0]).join(), await world.client(hubs[1], world.bob).join()
    for hub in hubs:
        await hub.keep()

    await ada.say(type="presence", set={"editing": "a"})
    await hubs[0].tick()
    await hubs[1].tick()
    assert bob.of("frame")[-1]["presence"][ada.session_id]["editing"] == "a"

    hubs[0].leave(world.id, ada.session_id)
    await hubs[0].tick()
    await hubs[1].tick()
    assert bob.of("frame")[-1]["left"] == [ada.session_id]


async def test_two_processes_over_redis(world: World, redis: Redis) -> None:
    """RM1, RM2, RM3, PR4, CL1"""
    roles_of, live_runs = world.workflows.roles_of, world.hub()._live_runs
    async with (
        open_relay(redis) as relay_1,
        open_relay(redis) as relay_2,
        open_hub(world.store, relay_1, roles_of, live_runs) as hub_1,
        open_hub(world.store, relay_2, roles_of, live_runs) as hub_2,
    ):
        ada, bob = await world.client(hub_1).join(), await world.client(hub_2, world.bob).join()
        for number in range(1, 11):
            await ada.push(number, adding(f"a{number}"))
            await bob.push(number, adding(f"b{number}"))
        await ada.until_seq(20)
        await bob.until_seq(20)
        assert ada.seqs() == bob.seqs() == list(range(1, 21))

        await ada.say(type="presence", set={"editing": "a1"})
        await bob.until(lambda message: message.get("presence", {}).get(ada.session_id, {}).get("editing") == "a1")
        await world.client(hub_2).join()
        assert await ada.until_closed() == 4010
        assert (await world.stored()) == (await hub_1.read(world.id)).graph.nodes_in_order()
        await world.workflows.move_to_trash(world.id)
        assert await bob.until_closed() == 4504


async def test_rooms_share_nothing(world: World) -> None:
    """IM5, RM5"""
    hub = world.hub()
    other = await open_world(world.database, node("theirs"))
    ada, stranger = await world.client(hub).join(), await Client(hub, other.id, other.ada, "tab").join()

    await ada.pushed(1, adding("a"))
    await hub.tick()

    assert stranger.types() == ["welcome", "snapshot", "frame"]
    assert stranger.of("snapshot")[0]["nodes"] == [node("theirs")]


async def test_late_news_of_a_client_that_moved_on_closes_nothing(world: World) -> None:
    """CL1: Redis hangs, and tells at last of a socket that the client had before the one it has now"""
    told_to = Told()
    here, there = world.hub(MemoryRelay()), world.hub(told_to)
    await world.client(there).join()
    told = next(hint for hint in told_to.hints if isinstance(hint, ClientHint))
    back = await world.client(here).join()

    here._hear(here._rooms[world.id], told)
    assert back.closed is None

    await world.client(there).join()
    here._hear(here._rooms[world.id], [hint for hint in told_to.hints if isinstance(hint, ClientHint)][-1])
    assert await back.until_closed() == 4010


class Told(MemoryRelay):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.hints: list[Hint] = []

    def publish(self, workflow_id: str, hint: Hint) -> None:
        self.hints.append(hint)
        super().publish(workflow_id, hint)
