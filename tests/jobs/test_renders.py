from __future__ import annotations

import pytest

from canvas.errors import NotFound
from jobs.pages import Place, cursor_of, place_of
from jobs.renders import Render
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def mine(world: World, **filters: str | None) -> list[Render]:
    everything: dict[str, str | None] = {"workflow_id": None, "provider": None, "q": None}
    return await world.renders.of_account("ada", before=None, limit=50, **(everything | filters))


async def test_my_renders_are_newest_first_and_mine_alone(world: World) -> None:
    first, second = await world.start(), await world.start(node="n2")
    for record in (first, second):
        await world.runner().carry(record.job_id)

    assert [render.job_id for render in await mine(world)] == [second.job_id, first.job_id]
    others = await world.renders.of_account("bob", workflow_id=None, provider=None, q=None, before=None, limit=9)
    assert others == []


async def test_my_renders_are_filtered(world: World) -> None:
    record = await world.start()
    await world.runner().carry(record.job_id)

    assert len(await mine(world, q="FOX")) == 1
    assert await mine(world, q="f_x") == []
    assert await mine(world, q="%") == []
    assert await mine(world, workflow_id="other") == []
    assert await mine(world, provider="openai") == []


async def test_my_renders_go_on_where_the_page_ended(world: World) -> None:
    record = await world.start(n=3)
    await world.runner().carry(record.job_id)
    everything = await mine(world)

    place = place_of(cursor_of(Place(everything[0].created_at, everything[0].id)))
    rest = await world.renders.of_account("ada", workflow_id=None, provider=None, q=None, before=place, limit=9)

    assert rest == everything[1:]


async def test_a_render_is_its_owners_alone(world: World) -> None:
    record = await world.start()
    await world.runner().carry(record.job_id)
    (render,) = await mine(world)

    assert await world.renders.get(render.id, "ada") == render
    with pytest.raises(NotFound):
        await world.renders.get(render.id, "bob")


async def test_an_object_nobody_stored_is_none(world: World) -> None:
    assert await world.renders.stored_object("originals/ada/x.png") is None
