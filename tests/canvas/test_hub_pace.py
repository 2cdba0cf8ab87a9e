"""Who says too much, and who does not listen."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable

import pytest

from canvas.budget import BURST, PATIENCE_S
from canvas.errors import LimitReached
from canvas.hub import Hub
from canvas.protocol import Hello, encode
from tests.canvas.world import Client, World

pytestmark = pytest.mark.anyio

HERE = encode({"type": "presence", "set": {"editing": "a"}})


def waits(wait: Awaitable[None] | None) -> bool:
    if inspect.iscoroutine(wait):
        wait.close()  # the test does not
    return wait is not None


async def two(world: World) -> tuple[Hub, Client, Client]:
    hub = world.hub()
    return hub, await world.client(hub).join(), await world.client(hub, world.bob).join()


async def test_presence_and_pings_are_heard_without_waiting(world: World) -> None:
    hub, ada, _ = await two(world)

    heard = [hub.hear(world.id, ada.session_id, message) for message in (HERE, b'{"type":"ping"}', b"junk", None)]

    assert heard == [None] * 4
    assert [message["code"] for message in ada.of("error")] == ["BAD_MESSAGE"] * 2


async def test_a_flood_waits_and_is_sent_away_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """LM3, CL6"""
    hub, ada, bob = await two(world)
    now = hub._now()
    monkeypatch.setattr(hub, "_now", lambda: now)

    paused = [waits(hub.hear(world.id, ada.session_id, HERE)) for _ in range(int(BURST) + 20)]
    assert (paused[0], paused[-1]) == (False, True)
    assert waits(hub.charge(world.id, ada.session_id))
    assert not waits(hub.hear(world.id, bob.session_id, HERE))

    for _ in range(int(PATIENCE_S)):
        now += 1
        for _ in range(100):
            waits(hub.hear(world.id, ada.session_id, b'{"type":"ping","t":"%b"}' % (b"x" * 100_000)))
    now += 1
    with pytest.raises(LimitReached):
        waits(hub.hear(world.id, ada.session_id, b"x" * (4 << 20)))


async def test_who_does_not_listen_is_told_the_newest_when_it_does(world: World) -> None:
    """RM7"""
    hub, ada, bob = await two(world)
    await hub.tick()
    heard = len(bob.heard)
    bob.is_stuck = True

    for node_id in ("a", "b", None):
        await ada.say(type="presence", set={"editing": node_id, "selection": [node_id or "c"]})
        await hub.tick()
    assert len(bob.heard) == heard
    bob.is_stuck = False
    await hub.poll()
    await hub.tick()

    assert bob.heard[heard:] == [
        {
            "type": "frame",
            "presence": {ada.session_id: {"editing": None, "selection": ["c"]}},
            "left": [],
            "runs": [],
        }
    ]
    assert [frame["presence"][ada.session_id]["selection"] for frame in ada.of("frame")[-3:]] == [["a"], ["b"], ["c"]]


async def test_who_has_not_read_a_document_gets_no_second_one(world: World) -> None:
    """CL2: they would pile up"""
    hub, ada, bob = await two(world)
    ada.is_stuck = True

    await ada.say(type="resync")

    assert ada.closed is not None
    assert ada.closed[0] == 4008
    assert list((await hub.read(world.id)).sessions) == [bob.session_id]


async def test_automation_may_say_what_it_likes(world: World) -> None:
    """LM3"""
    hub, ada, _ = await two(world)
    account = {"id": world.ada, "name": "Ada", "color": "#a0f"}
    access = (await world.store.load(world.id)).head.access  # type: ignore[union-attr]
    hello = Hello(1, "script")

    session_id = await hub.join(world.id, ada, account, "editor", hello, access=access, is_limited=False)

    assert not any(waits(hub.hear(world.id, session_id, HERE)) for _ in range(2 * int(BURST)))
