"""What versions may count on of PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from canvas.errors import Conflict, LimitReached, NotFound
from canvas.graph import Record
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.protocol import Author
from canvas.push import Push
from canvas.store import versions as store
from canvas.store.versions import Version, VersionAuthor, Versions, keep_versions
from canvas.versions import DUE_TRANSACTIONS, contents_of, difference
from tests.canvas.drawing import edge, node, nodes
from tests.canvas.world import World, adding, by_request

pytestmark = pytest.mark.anyio


@pytest.fixture
def versions(world: World) -> Versions:
    return Versions(world.database)


async def edits(world: World, *ops: Op) -> None:
    """One transaction."""
    hub = world.hub()
    result = await hub.push(world.id, by_request(world.ada, *ops))
    assert result.error is None, result.error
    await hub.tasks.finish()


async def stored(world: World) -> tuple[list[Record], list[Record], Any]:
    document = await world.store.load(world.id)
    assert document is not None
    graph = document.graph
    return graph.nodes_in_order(), graph.edges_in_order(), graph.viewport


async def all_of(world: World, versions: Versions) -> list[Version]:
    return await versions.page(world.id, limit=200, before=None)


async def ages(world: World, hours: float) -> None:
    """Everything that this workflow has done is that much longer ago."""
    for table, column in (("workflow_ops", "at"), ("workflow_versions", "created_at")):
        await world.database.execute(
            f"UPDATE {table} SET {column} = {column} - $2::interval WHERE workflow_id = $1",
            world.id,
            timedelta(hours=hours),
        )


async def test_a_version_is_the_document_at_one_seq(world: World, versions: Versions) -> None:
    """VE1"""
    await edits(world, *nodes(node("z", data={"every": [1e300, -0.0, "\U0001f98a", None, True]}), node("a", type=None)))
    await edits(world, Add("edge", edge("e", "z", "a")), SetWorkflow({"/viewport": {"x": 1, "y": 2, "zoom": 1.5}}))
    then = await stored(world)

    made = await versions.make(world.id, world.ada, "First light")
    await edits(world, Remove("node", ("z",)))
    read, contents = await versions.read(world.id, 1)

    assert read == made
    assert (made.version, made.name, made.kind, made.seq) == (1, "First light", "named", 2)
    assert made.author == VersionAuthor(world.ada, world.ada, "#a0f")
    assert (made.node_count, made.edge_count) == (2, 1)
    assert repr((contents.nodes, contents.edges, contents.viewport)) == repr(then)


async def test_numbers_have_no_gap_whoever_makes_them(world: World, versions: Versions) -> None:
    """VE1"""
    await edits(world, adding("a"))

    await asyncio.gather(*(versions.make(world.id, world.ada, None) for _ in range(8)))
    with pytest.raises(NotFound):
        await versions.make("wf_unknown", world.ada, None)
    await versions.remove(world.id, 8)
    await versions.make(world.id, world.ada, None)

    assert [one.version for one in await all_of(world, versions)] == [9, 7, 6, 5, 4, 3, 2, 1]  # none is given twice


async def test_pages_go_from_the_newest_to_the_oldest(world: World, versions: Versions) -> None:
    """VE1"""
    for _ in range(5):
        await versions.make(world.id, world.bob, None)

    first = await versions.page(world.id, limit=2, before=None)
    second = await versions.page(world.id, limit=3, before=first[-1].version)

    assert [one.version for one in first + second] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("number", [-1, 0, 2, 2**31, 2**63])
async def test_a_version_that_is_not_there_is_not_found(world: World, versions: Versions, number: int) -> None:
    """VE1: and one of another workflow is not there"""
    await versions.make(world.id, world.ada, None)

    for attempt in (
        versions.read(world.id, number),
        versions.rename(world.id, number, "x"),
        versions.remove(world.id, number),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(NotFound):
        await versions.read("wf_unknown", 1)


async def test_a_workflow_in_the_trash_gets_none(world: World, versions: Versions) -> None:
    """VE1"""
    await edits(world, adding("a"))
    await ages(world, 1)
    await world.workflows.move_to_trash(world.id)

    with pytest.raises(NotFound):
        await versions.make(world.id, world.ada, None)
    with pytest.raises(NotFound):
        await versions.make_before_restore(world.id, world.ada)
    assert not await versions.make_automatic(world.id, 0)
    assert await all_of(world, versions) == []


# Restoring


async def test_a_restore_is_one_transaction_that_can_be_undone(world: World, versions: Versions) -> None:
    """VE2, VE3, VE5"""
    await edits(world, *nodes(node("g"), node("a", 1, 1, parentId="g"), node("b", data={"prompt": "fox"})))
    await edits(world, Add("edge", edge("e", "a", "b")))
    then = await stored(world)
    kept = await versions.make(world.id, world.ada, "Then")
    await edits(world, Remove("node", ("g",)), Update("node", "b", {"/data/prompt": "owl"}), adding("c"))
    now = await stored(world)
    hub = world.hub()
    bob = await world.client(hub, world.bob).join()

    async def back_to(number: int) -> int:
        _, contents = await versions.read(world.id, number)
        ops = difference((await hub.read(world.id)).graph, contents)
        result = await hub.push(world.id, Push(Author(world.ada, "restore"), ops, b""))
        assert result.error is None, result.error
        return result.seq

    before = await versions.make_before_restore(world.id, world.ada)
    assert await back_to(kept.version) == 4
    assert await stored(world) == then
    assert await back_to(kept.version) == 4, "the same again has no effect"
    await bob.until_seq(4)
    assert [told["by"]["origin"] for told in bob.of("ops")[-1]["transactions"]] == ["restore"]

    assert await back_to(before.version) == 5
    assert await stored(world) == now
    assert await world.log() == [1, 2, 3, 4, 5]


async def test_what_a_restore_replaces_is_kept_once(world: World, versions: Versions) -> None:
    """VE5, VE6"""
    await edits(world, adding("a"))

    first = await versions.make_before_restore(world.id, world.ada)
    again = await versions.make_before_restore(world.id, world.bob)
    named = await versions.make(world.id, world.bob, "Same seq, but asked for")
    await versions.remove(world.id, named.version)
    await edits(world, adding("b"))
    other = await versions.make_before_restore(world.id, world.ada)

    assert (first.kind, first.seq, first.version) == ("restore", 1, 1)
    assert again == first
    assert (other.version, other.seq) == (3, 2)


async def test_a_deleted_version_keeps_nothing_any_more(world: World, versions: Versions) -> None:
    """VE5, VE6: what stood only in it is kept again"""
    await edits(world, adding("a"))
    await versions.make(world.id, world.ada, "Away with it")
    await versions.remove(world.id, 1)
    await ages(world, 1)

    await keep_versions(versions)

    assert [(one.version, one.kind, one.seq) for one in await all_of(world, versions)] == [(2, "auto", 1)]


# By policy


async def test_a_version_is_made_when_it_is_due_and_not_twice(world: World, versions: Versions) -> None:
    """VE6"""
    await edits(world, adding("a"))
    await keep_versions(versions)
    assert await all_of(world, versions) == [], "work of this minute can wait"

    await ages(world, 1)
    for _ in range(2):
        await keep_versions(versions)
    [version] = await all_of(world, versions)
    assert (version.kind, version.author, version.name, version.seq) == ("auto", None, None, 1)

    await edits(world, adding("b"))
    await keep_versions(versions)
    assert len(await all_of(world, versions)) == 1, "the last one was an hour ago, but this edit was not"
    await ages(world, 1)
    await keep_versions(versions)
    assert [one.seq for one in await all_of(world, versions)] == [2, 1]


async def test_much_work_does_not_wait_for_the_clock(world: World, versions: Versions) -> None:
    """VE6"""
    hub = world.hub()
    pushes = (by_request(world.ada, adding(f"n{number}")) for number in range(DUE_TRANSACTIONS))
    await asyncio.gather(*(hub.push(world.id, push) for push in pushes))

    await keep_versions(versions)

    assert [one.seq for one in await all_of(world, versions)] == [DUE_TRANSACTIONS]


async def test_a_log_that_was_trimmed_does_not_hide_work(world: World, versions: Versions) -> None:
    """VE6"""
    await edits(world, adding("a"))
    await world.database.execute("DELETE FROM workflow_ops WHERE workflow_id = $1", world.id)
    await world.database.execute("UPDATE workflows SET updated_at = now() - interval '1 day' WHERE id = $1", world.id)

    await keep_versions(versions)

    assert len(await all_of(world, versions)) == 1


async def test_processes_that_keep_versions_at_once_make_one(world: World, versions: Versions) -> None:
    """VE6"""
    await edits(world, adding("a"))

    made = await asyncio.gather(*(versions.make_automatic(world.id, 0) for _ in range(4)))

    assert sorted(made) == [False, False, False, True]
    assert len(await all_of(world, versions)) == 1


async def test_every_workflow_has_its_turn(world: World, versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    """VE6: however many are looked at in one statement"""
    monkeypatch.setattr(store, "_SWEEP", 1)
    await edits(world, adding("a"))
    await ages(world, 1)

    await keep_versions(versions)

    assert len(await all_of(world, versions)) == 1


# Thinning out


async def test_old_versions_are_thinned_out(world: World, versions: Versions) -> None:
    """VE7"""
    today = await world.database.fetchval("SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'")
    for at, kind in _past(today):
        await edits(world, adding(f"n{at.timestamp()}{kind}"))
        version = await versions.make(world.id, world.ada, None)
        await world.database.execute(
            "UPDATE workflow_versions SET created_at = $3, kind = $4 WHERE workflow_id = $1 AND version = $2",
            world.id,
            version.version,
            at,
            kind,
        )

    for _ in range(2):
        await versions.thin_out(30)

    left = [one.version for one in await all_of(world, versions)]
    assert left == [10, 9, 8, 6, 5, 2]
    assert (await versions.make(world.id, world.ada, None)).version == 11


def _past(today: datetime) -> list[tuple[datetime, str]]:
    ago = {days: today - timedelta(days=days) for days in (40, 31, 9, 5)}
    hour = timedelta(hours=1)
    return [
        (ago[40], "auto"),  # 1: too old
        (ago[40] + hour, "named"),  # 2: kept for ever
        (ago[31] - hour, "restore"),  # 3: too old
        (ago[9], "auto"),  # 4: not the last of its day
        (ago[9] + 8 * hour, "auto"),  # 5
        (ago[5], "named"),  # 6
        (ago[5] + hour, "restore"),  # 7: not the last of its day
        (ago[5] + 2 * hour, "auto"),  # 8
        (today - hour / 60, "auto"),  # 9: of the last 24 hours, like the next
        (today, "auto"),  # 10
    ]


# Names


async def test_a_named_version_stays_until_somebody_deletes_it(world: World, versions: Versions) -> None:
    """VE8"""
    await edits(world, adding("a"))
    assert await versions.make_automatic(world.id, 0)

    with pytest.raises(Conflict) as caught:
        await versions.remove(world.id, 1)
    named = await versions.rename(world.id, 1, "Worth it")
    await ages(world, 24 * 365)
    await versions.thin_out(30)

    assert caught.value.code == "INVALID_STATE"
    assert (named.name, named.kind) == ("Worth it", "named")
    assert len(await all_of(world, versions)) == 1
    await versions.remove(world.id, 1)
    assert await all_of(world, versions) == []


async def test_too_many_named_versions_are_refused(
    world: World, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VE8"""
    monkeypatch.setattr(store, "MAX_NAMED", 1)
    await edits(world, adding("a"))
    assert await versions.make_automatic(world.id, 0)
    await versions.make(world.id, world.ada, "The one")

    with pytest.raises(LimitReached):
        await versions.make(world.id, world.ada, "The other")
    with pytest.raises(LimitReached):
        await versions.rename(world.id, 1, "The other")

    await versions.rename(world.id, 2, "The same one")
    assert [one.version for one in await all_of(world, versions)] == [2, 1], "the refused one took no number"


async def test_what_is_kept_is_small(world: World, versions: Versions) -> None:
    """VE1"""
    await edits(world, *nodes(*(node(f"n{number}", number, 2 * number) for number in range(1_000))))
    await versions.make(world.id, world.ada, None)

    document = await world.store.load(world.id)
    size = await world.database.fetchval(
        "SELECT octet_length(document) FROM workflow_versions WHERE workflow_id = $1", world.id
    )

    assert document is not None
    assert size < len(msgspec.json.encode(contents_of(document.graph))) / 4
