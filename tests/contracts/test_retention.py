"""What is kept no longer, and what a backup that is put back does."""

from __future__ import annotations

import pytest

from canvas.ops import Restore, Update
from canvas.protocol import ResumePoint
from canvas.store.epochs import renew_epochs, renew_if_moved
from canvas.store.retention import retire
from canvas.store.versions import Versions
from canvas.transfer import read_document
from tests.canvas.world import World, adding, by_request, numbered

pytestmark = pytest.mark.anyio

DAYS = 30
NOTHING = read_document({"nodes": []}, {})


async def age(world: World, table: str, days: int, where: str = "true") -> None:
    await world.database.execute(
        f"UPDATE {table} SET at = now() - make_interval(days => $2) WHERE workflow_id = $1 AND {where}",
        world.id,
        days,
    )


async def test_an_old_log_goes_once_a_version_covers_it(world: World) -> None:
    """RT1, RS2, OP9"""
    hub = world.hub()
    for name in "abc":
        await hub.push(world.id, by_request(world.ada, adding(name)))
    await age(world, "workflow_ops", DAYS + 1, "seq <= 2")

    await retire(world.database, DAYS)
    assert await world.log() == [1, 2, 3], "no version covers them"

    await Versions(world.database).make(world.id, world.ada, "kept")
    await hub.push(world.id, by_request(world.ada, adding("d")))
    await retire(world.database, DAYS)
    assert await world.log() == [3, 4]

    fresh = world.hub()
    epoch = (await fresh.read(world.id)).epoch
    assert (await world.client(fresh).join(resume=ResumePoint(epoch, 2))).heard[0]["mode"] == "resume"
    assert (await world.client(fresh).join(resume=ResumePoint(epoch, 1))).heard[0]["mode"] == "snapshot"
    refused = await fresh.push(world.id, by_request(world.ada, Restore(1)))
    assert refused.error is not None
    assert refused.error.code == "NOT_FOUND"


async def test_numbers_are_kept_for_thirty_days_at_least(world: World) -> None:
    """RT1, PU2, PU4"""
    hub = world.hub()
    for number in (1, 2):
        await hub.push(world.id, numbered(world.ada, number, adding(f"n{number}")))
    await age(world, "workflow_pushes", 29)
    await retire(world.database, 1)
    assert (await hub.push(world.id, numbered(world.ada, 2, adding("n2")))).outcome == "commit"

    await age(world, "workflow_pushes", 31, "client_seq = 1")
    await retire(world.database, 1)
    assert (await hub.push(world.id, numbered(world.ada, 3, adding("n3")))).outcome == "commit"

    await age(world, "workflow_pushes", 31)
    await retire(world.database, 1)
    told = await hub.push(world.id, numbered(world.ada, 4, adding("n4")))
    assert told.error is not None
    assert (told.error.code, told.last_client_seq) == ("SEQ_GAP", 0)


async def test_the_trash_is_emptied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """RT2: however much is in it"""
    monkeypatch.setattr("canvas.store.retention._AT_ONCE", 2)
    ids = [await world.workflows.create(world.ada, name, NOTHING) for name in "abcde"]
    for workflow_id in ids:
        await world.workflows.move_to_trash(workflow_id)
    await world.database.execute(
        "UPDATE workflows SET deleted_at = now() - interval '31 days' WHERE id = ANY($1)", ids[1:]
    )

    await retire(world.database, DAYS)

    left = await world.database.fetch("SELECT id FROM workflows WHERE id = ANY($1)", [*ids, world.id])
    assert {row["id"] for row in left} == {ids[0], world.id}


async def test_what_is_gone_takes_its_log_and_answers_along_and_nobody_elses(world: World) -> None:
    """RT2: whoever deletes it, one or many at once"""
    hub = world.hub()
    ids = [world.id, *[await world.workflows.create(world.ada, name, NOTHING) for name in "abcd"]]
    for workflow_id in ids:
        for number in (1, 2):
            told = await hub.push(workflow_id, numbered(world.ada, number, adding(f"n{number}")))
            assert told.outcome == "commit"
    await world.database.execute("DELETE FROM workflows WHERE id = $1", ids[1])
    for workflow_id in ids[2:4]:
        await world.workflows.move_to_trash(workflow_id)
    await world.database.execute("UPDATE workflows SET deleted_at = now() - interval '31 days' WHERE id = $1", ids[2])
    await world.database.execute("UPDATE workflows SET deleted_at = now() - interval '32 days' WHERE id = $1", ids[3])

    await retire(world.database, DAYS)

    for table in ("workflow_ops", "workflow_pushes", "workflow_nodes"):
        left = await world.database.fetch(f"SELECT workflow_id FROM {table} WHERE workflow_id = ANY($1)", ids)
        assert sorted(row["workflow_id"] for row in left) == sorted([ids[0], ids[0], ids[4], ids[4]]), table


async def test_a_backup_that_is_put_back_begins_another_log(world: World) -> None:
    """RT3, CL5, RS2: a tab that was ahead of it does not go on from a seq that means something else now"""
    hub = world.hub()
    ada = await world.client(hub).join()
    await ada.pushed(1, adding("a"))
    async with world.database.acquire() as connection:
        assert await renew_if_moved(connection) in {True, False}  # whatever database this suite had before
        assert not await renew_if_moved(connection), "nothing has moved"
        await hub.poll()
        assert ada.closed is None

        await connection.execute("UPDATE installation SET place = 'elsewhere'")
        assert await renew_if_moved(connection)
        assert not await renew_if_moved(connection)
    await hub.poll()
    assert await ada.until_closed() == 4009

    back = await world.client(hub, client_id="another").join(resume=ResumePoint(ada.heard[0]["epoch"], 1))
    assert back.heard[0]["mode"] == "snapshot"
    assert back.heard[0]["epoch"] != ada.heard[0]["epoch"]


async def test_epochs_are_renewed_by_hand(world: World) -> None:
    """RT3"""
    hub = world.hub()
    before = (await hub.read(world.id)).epoch
    other = await world.workflows.create(world.ada, "Other", NOTHING)

    async with world.database.acquire() as connection:
        assert await renew_epochs(connection) >= 2

    heads = await world.store.heads([world.id, other])
    assert len({before, *(head.epoch for head in heads.values())}) == 3
    result = await world.hub().push(world.id, by_request(world.ada, Update("node", "gone", {"/zIndex": 1})))
    assert result.outcome == "commit"
