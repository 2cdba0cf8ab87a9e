"""What happens in one run: people edit, things go wrong at random, then everything is mended and compared.

`simulate(seed)` plays one story; the same seed plays the same story. It raises Broken when a promise was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from canvas import protocol
from canvas.access import Role
from canvas.errors import NotFound, Unavailable
from canvas.hub import KEEP_S
from canvas.presence import REMOTE_EXPIRY_S
from canvas.protocol import Result
from canvas.relay.port import AccessHint
from tests.simulation import oracles
from tests.simulation.clock import StuckError, VirtualLoop, run_virtually
from tests.simulation.edits import Editor
from tests.simulation.network import NOTICE_S
from tests.simulation.server import WORKFLOW, Server
from tests.simulation.world import World

EDITING_S = 9.0
SETTLING_S = 45.0
LIFE_S = 300.0  # of the clock's seconds: a story that is not over by then never ends
REST_S = REMOTE_EXPIRY_S + NOTICE_S + KEEP_S  # after it presence is what it should be, too


class Broken(AssertionError):
    """A promise was broken; the message tells how, and how to see it again."""


def simulate(seed: int, counts: Counter[str] | None = None) -> list[str]:
    """Play one story to its end; answers what happened. Raises Broken."""
    counts = Counter() if counts is None else counts
    told: list[World] = []

    async def main(loop: VirtualLoop) -> None:
        world = World(seed, counts)
        told.append(world)
        loop.set_exception_handler(lambda _, context: world.wrong(f"unhandled: {context}"))
        async with asyncio.timeout(LIFE_S):
            await play(world)

    numbers = iter(range(1 << 40))
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr("canvas.hub.new_id", lambda prefix: f"{prefix}_{next(numbers)}")
        patch.setattr("canvas.resuming.MAX_RESUME_AS_IT_WAS", 5)
        patch.setattr("canvas.resuming.MAX_RESUME", 25)
        patch.setattr("canvas.write_ahead.PACE_S", 0.05)  # or these rooms would hardly ever be busy
        try:
            run_virtually(main)
        except (StuckError, TimeoutError, Unavailable) as error:
            told[0].wrong(f"the story could not go on: {error!r}")
    world = told[0]
    world.wrongs.extend(oracles.alarms(logs))
    if world.wrongs:
        end = "\n".join(world.story[-60:])
        raise Broken(
            f"seed {seed}: {world.wrongs[0]}\n\n{end}\n\nSee it again: EASEL_SIM_SEED={seed} pytest tests/simulation"
        )
    return world.story


async def play(world: World) -> None:
    for _ in range(world.random.choice((1, 2, 2, 3))):
        world.start_server()
    await asyncio.sleep(0.1)
    people = [("ada-1", "ada"), ("bob-1", "bob"), ("cleo-1", "cleo"), ("ada-2", "ada"), ("eve-1", "eve")]
    for name, account_id in [people[0], people[1], *world.random.sample(people[2:], 2)]:
        world.open_tab(name, account_id, name)
    async with asyncio.TaskGroup() as group:
        group.create_task(_edit(world))
        group.create_task(_go_wrong(world))
        if world.random.random() < 0.5:
            group.create_task(_call_rest(world, "script", "cleo"))
    mend(world)
    if not await world.until(world.is_at_rest, SETTLING_S):
        world.wrong(oracles.unrest(world))
    if world.wrongs:
        return
    for number, tab in enumerate(tab for tab in world.tabs if not tab.is_out):
        tab.show({"cursor": {"x": 1000.0 + number, "y": 0.0}})
    await asyncio.sleep(REST_S)
    if not await world.until(world.is_at_rest, SETTLING_S):
        world.wrong(oracles.unrest(world))
    await oracles.check_end(world)


def mend(world: World) -> None:
    """Everything works from here on."""
    world.note("mended")
    world.relay.is_calm = True
    for server in world.servers:
        server.relay.is_cut_off = server.store.is_away = False
        server.store.fails_before_commit = server.store.fails_after_commit = server.store.breaks_on_the_way = False
        server.store.steps_to_live = None
        for wire in server.wires:
            if wire.is_stalled and world.random.random() < 0.5:
                wire.flow()
    if not world.alive():
        world.start_server()
    for tab in world.tabs:
        if tab.is_shared:
            tab.rename()


async def _edit(world: World) -> None:
    while world.loop.time() < EDITING_S and not world.wrongs:
        await asyncio.sleep(world.random.expovariate(1 / 0.09))
        tab = world.random.choice(world.tabs)
        if tab.replica.epoch is None or tab.is_out:
            continue
        dice = world.random.random()
        if dice < 0.75:
            for _ in range(world.random.choice((1, 1, 1, 4))):
                tab.edit()
        elif dice < 0.97:
            tab.point()
        else:
            tab.resync()


async def _call_rest(world: World, client_id: str, account_id: str) -> None:
    """A script: one push at a time, tried again until it is answered."""
    editor = Editor(f"{world.seed}/{client_id}")
    number, epoch = 1, world.stored.epoch
    while world.loop.time() < EDITING_S and not world.wrongs:
        ops = editor.edit(oracles.fold(world.stored.log), world.stored.seq)
        result = await _request_until_answered(world, account_id, client_id, number, protocol.encode(ops))
        if result is None or epoch != world.stored.epoch:
            return  # it has lost its role, or its numbers
        world.counts["requests"] += 1
        if result.error is not None and result.error.code in {"SEQ_GAP", "CLIENT_SEQ_REUSED"}:
            world.wrong(f"the script counted right and was told {result} (PU3, PU4)")
        number += 1
        await asyncio.sleep(editor.random.expovariate(1 / 0.4))


async def _request_until_answered(
    world: World, account_id: str, client_id: str, number: int, ops: bytes
) -> Result | None:
    while not world.wrongs:
        alive = world.alive()
        try:
            if alive:
                return await _request(world.random.choice(alive), account_id, client_id, number, ops)
        except NotFound:
            return None
        except (Unavailable, ConnectionError):
            world.counts["requests tried again"] += 1
        await asyncio.sleep(0.3)
    return None


async def _request(server: Server, account_id: str, client_id: str, number: int, ops: bytes) -> Result:
    """Raises ConnectionError when the server dies of it, or does not answer for two seconds."""
    asking = server.spawn(server.request(account_id, client_id, number, ops))
    try:
        async with asyncio.timeout(2.0):
            await asyncio.wait({asking})
    except TimeoutError as error:
        raise ConnectionError from error
    if asking.cancelled():
        raise ConnectionError
    return asking.result()


# What goes wrong


async def _go_wrong(world: World) -> None:
    faults: tuple[tuple[int, Callable[[World], Awaitable[None]]], ...] = (
        (3, _lose_ack),
        (3, _fail_commit),
        (3, _break_connection),
        (3, _kill_at_await),
        (2, _kill),
        (1, _stop),
        (2, _lose_store),
        (3, _cut_off),
        (2, _flush),
        (4, _stall),
        (4, _cut),
        (3, _change_role),
        (1, _duplicate_tab),
        (1, _restore_backup),
    )
    async with asyncio.TaskGroup() as group:
        while world.loop.time() < EDITING_S and not world.wrongs:
            await asyncio.sleep(world.random.expovariate(1 / 0.7))
            fault = world.random.choices([one for _, one in faults], [weight for weight, _ in faults])[0]
            world.counts[fault.__name__] += 1
            world.note(f"fault {fault.__name__}")
            group.create_task(_happen(fault, world))


async def _happen(fault: Callable[[World], Awaitable[None]], world: World) -> None:
    await fault(world)


def _a_server(world: World) -> Server:
    return world.random.choice(world.alive() or world.servers)


async def _lose_ack(world: World) -> None:
    _a_server(world).store.fails_after_commit = True


async def _fail_commit(world: World) -> None:
    _a_server(world).store.fails_before_commit = True


async def _break_connection(world: World) -> None:
    _a_server(world).store.breaks_on_the_way = True


async def _kill_at_await(world: World) -> None:
    server = _a_server(world)
    server.store.steps_to_live = world.random.randint(1, 25)
    await _replace(world, server)


async def _kill(world: World) -> None:
    server = _a_server(world)
    server.kill()
    await _replace(world, server)


async def _stop(world: World) -> None:
    server = _a_server(world)
    server.stop()
    await _replace(world, server)


async def _replace(world: World, server: Server) -> None:
    await world.until(lambda: not server.is_alive, 2.0)
    await asyncio.sleep(world.random.uniform(0.1, 1.0))
    if not server.is_alive:
        world.start_server()


async def _lose_store(world: World) -> None:
    server = _a_server(world)
    server.store.is_away = True
    await asyncio.sleep(world.random.uniform(0.1, 2.0))
    server.store.is_away = False


async def _cut_off(world: World) -> None:
    server = _a_server(world)
    server.relay.is_cut_off = True
    await asyncio.sleep(world.random.uniform(0.2, 4.0))
    server.relay.is_cut_off = False


async def _flush(world: World) -> None:
    world.relay.flush()


async def _stall(world: World) -> None:
    """A socket through which nothing comes: for a moment, or for good."""
    wire = world.random.choice(world.tabs).wire
    if wire is None:
        return
    wire.stall()
    if world.random.random() < 0.5:
        await asyncio.sleep(world.random.uniform(0.1, 3.0))
        wire.flow()


async def _cut(world: World) -> None:
    wire = world.random.choice(world.tabs).wire
    if wire is not None:
        wire.cut()


async def _change_role(world: World) -> None:
    """In the middle of a drag, if there is one; some get it back."""
    account_id = world.random.choice(("bob", "cleo"))
    await _set_role(world, account_id, world.random.choice(("viewer", "viewer", None)))
    await asyncio.sleep(world.random.uniform(0.1, 3.0))
    if world.random.random() < 0.5:
        await _set_role(world, account_id, "editor")


async def _set_role(world: World, account_id: str, role: Role | None) -> None:
    world.note(f"{account_id} becomes {role}")
    if role is None:
        world.roles.pop(account_id, None)
    else:
        world.roles[account_id] = role
    world.store.workflows[WORKFLOW].access += 1
    _a_server(world).relay.publish(WORKFLOW, AccessHint())


async def _duplicate_tab(world: World) -> None:
    tab = world.random.choice(world.tabs)
    if len(world.tabs) < 7 and not tab.is_out:
        tab.is_shared = True
        world.tabs.append(tab.twin(f"{tab.name}-twin-{len(world.tabs)}"))


async def _restore_backup(world: World) -> None:
    await world.back_up()
    await asyncio.sleep(world.random.uniform(0.2, 2.0))
    await world.restore_backup(is_built_upon=world.random.random() < 0.5)
