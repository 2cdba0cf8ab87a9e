from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canvas import open_room, waiting
from canvas.errors import NotFound, Unavailable
from canvas.hub import Hub
from canvas.ops import Add, Remove, Restore, Update
from canvas.relay.memory import MemoryRelay
from tests.canvas.drawing import node
from tests.canvas.world import Client, World, adding, by_request, numbered

pytestmark = pytest.mark.anyio


async def two(world: World) -> tuple[Hub, Client, Client]:
    hub = world.hub()
    return hub, await world.client(hub).join(), await world.client(hub, world.bob).join()


def told_ids(client: Client) -> list[str]:
    """The nodes that others added, in the order in which it heard of them."""
    transactions = [transaction for message in client.of("ops") for transaction in message["transactions"]]
    return [op["record"]["id"] for transaction in transactions for op in transaction["ops"] if op["op"] == "add"]


# Pushing


async def test_pushes_of_two_interleaved_reach_both_in_one_order(world: World) -> None:
    """RM1, RM2, PU8"""
    _, ada, bob = await two(world)

    for number in range(1, 21):
        await ada.push(number, adding(f"a{number}"))
        await bob.push(number, adding(f"b{number}"))
    await ada.until_seq(40)
    await bob.until_seq(40)

    assert ada.seqs() == bob.seqs() == await world.log() == list(range(1, 41))
    assert [result["clientSeq"] for result in ada.of("result")] == list(range(1, 21))
    assert not any(id_.startswith("a") for id_ in told_ids(ada))
    assert not any(id_.startswith("b") for id_ in told_ids(bob))


async def test_a_push_is_answered_by_what_became_of_it(world: World) -> None:
    """PU3, PU4, PU5, PU6, PU7, OP12"""
    hub = world.hub()
    ada = await world.client(hub).join()

    assert (await ada.pushed(1, adding("a"))) == {"type": "result", "clientSeq": 1, "seq": 1, "outcome": "commit"}
    rebase = await ada.pushed(2, Add("node", node("b", selected=True)))
    assert (rebase["outcome"], rebase["ops"]) == ("rebase", [{"op": "add", "kind": "node", "record": node("b")}])
    assert (await ada.pushed(3, adding("a")))["seq"] == 2
    refused = await ada.pushed(4, adding("c"), Update("node", "a", {"/data/x/y": 1}))
    assert (refused["outcome"], refused["error"]["code"], refused["error"]["opIndex"]) == ("reject", "BAD_POINTER", 1)
    gap = await ada.pushed(9, adding("d"))
    assert (gap["error"]["code"], gap["lastClientSeq"]) == ("SEQ_GAP", 4)
    assert (await ada.pushed(4, adding("other")))["error"]["code"] == "CLIENT_SEQ_REUSED"
    assert (await ada.pushed(5, adding("d")))["seq"] == 3


async def test_a_request_is_a_push_like_any_other(world: World) -> None:
    """PU1, PU2, RM3"""
    hub, ada, _ = await two(world)

    first = await hub.push(world.id, numbered(world.bob, 1, adding("r"), client_id="script"))
    again = await hub.push(world.id, numbered(world.bob, 1, adding("r"), client_id="script"))

    assert first == again
    assert told_ids(ada) == ["r"]
    assert [record["id"] for record in (await hub.read(world.id)).graph.nodes_in_order()] == ["r"]
    with pytest.raises(NotFound):
        await hub.push("wf_unknown", by_request(world.ada, adding("a")))


async def test_a_viewer_writes_nothing(world: World) -> None:
    """PU5, PR2"""
    hub = world.hub()
    eve = await world.client(hub, world.eve).join("viewer")

    refused = await eve.pushed(1, adding("a"))

    assert refused["error"]["code"] == "FORBIDDEN"
    assert await world.log() == []


async def test_ops_that_are_none_are_rejected_and_junk_is_answered(world: World) -> None:
    """RM6, PU5, PR5"""
    hub = world.hub()
    ada = await world.client(hub).join()

    await ada.say(type="push", clientSeq=1, ops=[{"op": "fly"}])
    result = await ada.until(lambda message: message["type"] == "result")
    await hub.receive(world.id, ada.session_id, "junk")
    await ada.say(type="hello", protocol=1, clientId="again")
    await ada.say(type="presence", set={"selection": ["x" * 40_000]})

    assert (result["outcome"], result["error"]["opIndex"]) == ("reject", 0)
    assert [error["code"] for error in ada.of("error")] == ["BAD_MESSAGE", "BAD_MESSAGE", "TOO_LARGE"]
    assert (await ada.pushed(2, adding("a")))["outcome"] == "commit"


async def test_undoing_a_removal_is_told_as_adds(world: World) -> None:
    """OP2, OP9"""
    _, ada, bob = await two(world)
    await ada.pushed(1, adding("a"), adding("b"))
    await ada.pushed(2, Remove("node", ("a", "b")))

    result = await ada.pushed(3, Restore(2))
    await bob.until_seq(3)

    assert [op["op"] for op in result["ops"]] == ["add", "add"]
    assert told_ids(bob)[-2:] == ["a", "b"]


# When something fails


async def test_a_commit_that_failed_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU9, RM2"""
    monkeypatch.setattr(open_room, "RETRY_S", 0)
    _, ada, bob = await two(world)
    world.store.fail_before_commit = 2

    result = await ada.pushed(1, adding("a"))
    await bob.until_seq(1)

    assert result["outcome"] == "commit"
    assert await world.log() == [1]


async def test_a_commit_whose_answer_was_lost_is_applied_once_and_not_echoed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PU9, RM1, RM2"""
    monkeypatch.setattr(open_room, "RETRY_S", 0)
    _, ada, bob = await two(world)
    await ada.pushed(1, adding("a"))
    world.store.fail_after_commit = 1

    await ada.push(2, adding("b"))
    await bob.push(1, adding("c"))
    await ada.push(3, adding("a", 9))
    await ada.push(4, Add("node", node("d", selected=True)))
    await ada.until(lambda message: message.get("clientSeq") == 4)
    await bob.until_seq(4)

    assert await world.log() == [1, 2, 3, 4]
    assert ada.seqs() == bob.seqs() == [1, 2, 3, 4]
    assert told_ids(ada) == ["c"]
    assert told_ids(bob) == ["a", "b", "d"]
    assert [(one["clientSeq"], one["outcome"]) for one in ada.of("result")] == [
        (1, "commit"),
        (2, "commit"),
        (3, "reject"),
        (4, "rebase"),
    ]


async def test_a_request_is_told_that_the_database_is_away(world: World) -> None:
    """PU9"""
    hub = world.hub()
    world.store.fail_before_commit = 1

    with pytest.raises(Unavailable):
        await hub.push(world.id, by_request(world.ada, adding("a")))
    assert (await hub.push(world.id, by_request(world.ada, adding("a")))).seq == 1


async def test_a_push_that_breaks_something_is_refused_alone(world: World) -> None:
    """PU10, RM1"""
    hub, ada, bob = await two(world)
    world.store.breaks_on = "poison"

    await bob.push(1, adding("b"))
    await ada.push(1, adding("poison"))
    answer = asyncio.create_task(hub.push(world.id, by_request(world.ada, adding("poison"))))
    await bob.push(2, adding("c"))
    await ada.push(2, adding("d"))
    await ada.until(lambda message: message.get("clientSeq") == 2)
    await bob.until_seq(3)

    assert [result.get("error", {}).get("code") for result in ada.of("result")] == ["INTERNAL", None]
    assert (await answer).outcome == "reject"
    assert [record["id"] for record in await world.stored()] == ["b", "c", "d"]
    assert ada.seqs() == bob.seqs() == [1, 2, 3]


async def test_what_the_database_refuses_is_refused_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU10"""
    monkeypatch.setattr("canvas.values.holds_base64_picture", lambda _: False)
    _, ada, bob = await two(world)

    await ada.push(1, Add("node", node("a", data={"p": "data:image/png;base64," + "A" * 200})))
    await bob.push(1, adding("b"))
    await ada.until(lambda message: message["type"] == "result")
    await bob.until(lambda message: message["type"] == "result")

    assert ada.of("result")[0]["error"]["code"] == "REFUSED_BY_STORE"
    assert bob.of("result")[0]["outcome"] == "commit"


async def test_who_floods_waits_for_what_it_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PU12"""
    _, ada, bob = await two(world)
    monkeypatch.setattr(waiting, "MAX_WAITING_BYTES", 3 * waiting.PUSH_BYTES // 2)
    world.store.is_away = True

    await ada.push(1, adding("a"))
    flood = asyncio.create_task(ada.push(2, adding("b")))
    await bob.push(1, adding("c"))  # nobody else waits for it
    await asyncio.sleep(0)
    assert not flood.done()

    world.store.is_away = False
    await flood
    await ada.until(lambda message: message["type"] == "result" and message["clientSeq"] == 2)


async def test_coming_in_while_the_database_is_away_says_so_and_leaves_nothing(world: World) -> None:
    """RS6"""
    hub, ada, bob = await two(world)
    world.store.is_away = True

    with pytest.raises(Unavailable):
        await world.client(hub, world.eve).join()
    with pytest.raises(Unavailable):
        await ada.say(type="resync")

    world.store.is_away = False
    assert len((await hub.read(world.id)).sessions) == 2
    assert (await bob.pushed(1, adding("a")))["outcome"] == "commit"


async def test_a_room_that_cannot_be_opened_leaves_no_listener(world: World) -> None:
    """RS6"""

    async def fails(_: str) -> list[dict[str, Any]]:
        raise Unavailable("away")

    hub = Hub(world.store, world.relay, world.workflows.roles_of, fails)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await world.client(hub).join()
    assert world.relay._listeners == {world.id: []}
    with pytest.raises(NotFound):
        await hub.read("wf_unknown")


async def test_a_replica_that_went_wrong_is_loaded_again(world: World) -> None:
    """RM4, CL5"""
    hub, ada, _ = await two(world)
    other = world.hub(MemoryRelay())
    (await hub.read(world.id)).graph.put("node", node("ghost"), 0.5)
    await other.push(world.id, by_request(world.ada, Add("node", node("ghost", 1))))

    with pytest.raises(Unavailable):
        await hub.read(world.id)

    assert ada.closed is not None
    assert ada.closed[0] == 4009
    assert (await hub.read(world.id)).graph.nodes_in_order() == [node("ghost", 1)]
