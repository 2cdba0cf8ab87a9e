from __future__ import annotations

from typing import Any

import pytest

from canvas.errors import BadRequest, NotFound
from jobs.pages import Place, cursor_of, place_of
from jobs.renders import MAX_SEARCH_CHARACTERS, Render, RenderFilter, words_of
from jobs.store.renders import retire_renders
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def mine(world: World, q: str | None = None, **wanted: Any) -> list[Render]:
    return await world.renders.of_account("ada", RenderFilter(words=words_of(q), **wanted), before=None, limit=50)


async def made(world: World, n: int = 1, prompt: str | None = None) -> list[Render]:
    """Pictures of one run, newest first."""
    record = await world.start(n=n)
    await world.runner().carry(record.job_id)
    if prompt is not None:
        await world.database.execute("UPDATE renders SET prompt = $2 WHERE run_id = $1", record.job_id, prompt)
    return [render for render in await mine(world) if render.job_id == record.job_id]


async def delete(world: World, *renders: Render, account: str = "ada", undo: bool = False) -> list[str]:
    ids = [render.id for render in renders]
    return await world.renders.change(ids, account, is_favorite=None, is_deleted=not undo)


async def test_my_renders_are_newest_first_and_mine_alone(world: World) -> None:
    """MR1, MR2"""
    first, second = await world.start(), await world.start(node="n2")
    for record in (first, second):
        await world.runner().carry(record.job_id)

    assert [render.job_id for render in await mine(world)] == [second.job_id, first.job_id]
    assert await world.renders.of_account("bob", RenderFilter(), before=None, limit=9) == []


async def test_my_renders_are_filtered(world: World) -> None:
    """MR1"""
    (render,) = await made(world)

    assert await mine(world, q="FOX") == await mine(world, provider="local", model="studio-1") == [render]
    assert await mine(world, q="f_x") == []
    assert await mine(world, q="%") == []
    assert await mine(world, workflow_id="other") == []
    assert await mine(world, provider="openai") == []
    assert await mine(world, model="studio-2") == []
    assert await mine(world, is_favorite=True) == []


@pytest.mark.parametrize(
    ("q", "is_found"),
    [
        ("fox snow", True),
        ("SNOW fox", True),
        ("now", True),
        ("n", True),
        ("fox sand", False),
        ("foxin", False),
        ("ÜBER", True),
        ("日の出", True),
        ("日の", True),
        ("日の入", False),
        ("  ", True),
        ("100%", True),
        ("\\\\", False),
    ],
)
async def test_every_word_is_somewhere_in_the_prompt(world: World, q: str, is_found: bool) -> None:
    """MR1"""
    await made(world, prompt="A fox in the\nsnow, über 100% 美しい日の出 of it")

    assert bool(await mine(world, q=q)) is is_found


async def test_nobody_searches_for_a_book(world: World) -> None:
    assert words_of("x" * MAX_SEARCH_CHARACTERS)
    with pytest.raises(BadRequest):
        words_of("x" * (MAX_SEARCH_CHARACTERS + 1))


async def test_my_renders_go_on_where_the_page_ended(world: World) -> None:
    """MR1"""
    everything = await made(world, n=3)

    place = place_of(cursor_of(Place(everything[0].created_at, everything[0].id)))
    rest = await world.renders.of_account("ada", RenderFilter(), before=place, limit=9)

    assert rest == everything[1:]


async def test_a_render_is_its_owners_alone(world: World) -> None:
    """MR2"""
    (render,) = await made(world)

    assert await world.renders.get(render.id, "ada") == render
    with pytest.raises(NotFound):
        await world.renders.get(render.id, "bob")
    assert await delete(world, render, account="bob") == []
    assert await mine(world) == [render]


async def test_what_was_made_from_a_picture_is_found_by_it(world: World) -> None:
    (parent,) = await made(world)
    record = await world.start(node="n2", previous_image=parent.image_url)
    await world.runner().carry(record.job_id)

    (child,) = await mine(world, parent_id=parent.id)

    assert (child.job_id, child.origin.parent_id) == (record.job_id, parent.id)


async def test_deleted_picture_is_in_the_trash_and_comes_back_as_it_was(world: World) -> None:
    """MR3, MR5"""
    one, two = await made(world, n=2)
    await world.renders.change([one.id], "ada", is_favorite=True, is_deleted=None)
    before = await mine(world)

    for _ in range(2):
        assert await delete(world, one) == [one.id]

    assert await mine(world) == [two]
    (gone,) = await mine(world, in_trash=True)
    assert (gone.id, gone.is_favorite, gone.deleted_at is not None) == (one.id, True, True)
    with pytest.raises(NotFound):
        await world.renders.get(one.id, "ada")
    for _ in range(2):
        assert await delete(world, one, undo=True) == [one.id]
    assert await mine(world) == before
    assert [render.id for render in await mine(world, is_favorite=True)] == [one.id]


async def test_deleted_picture_can_still_be_started_from(world: World) -> None:
    """MR3"""
    (parent,) = await made(world)
    await delete(world, parent)

    record = await world.start(node="n2", previous_image=parent.image_url)
    await world.runner().carry(record.job_id)

    assert (await mine(world))[0].origin.parent_id == parent.id


async def test_trash_is_emptied_rows_first_then_bytes(world: World) -> None:
    """MR4"""
    old, new, kept = await made(world, n=3)
    await delete(world, old, new)
    await world.database.execute("UPDATE renders SET deleted_at = now() - interval '31 days' WHERE id = $1", old.id)
    files, rows = world.files(), await world.count("objects")

    assert await retire_renders(world.database, world.objects, 30) == 1
    assert await retire_renders(world.database, world.objects, 30) == 0

    gone = {name for name in files if name not in world.files()}
    keys = {url.removeprefix("/objects/") for url in (old.image_url, *(each.url for each in old.variants))}
    assert gone == keys
    assert await world.count("objects") == rows - len(keys)
    assert [render.id for render in await mine(world, in_trash=True)] == [new.id]
    assert await mine(world) == [kept]


async def test_bytes_that_something_else_shows_stay(world: World) -> None:
    """MR4"""
    one, two = await made(world, n=2)
    await delete(world, one)
    key = one.image_url.removeprefix("/objects/")
    await world.database.execute(
        "UPDATE render_variants SET object_key = $1 WHERE render_id = $2 AND kind = 'icon'", key, two.id
    )
    await world.database.execute("UPDATE renders SET deleted_at = now() - interval '31 days' WHERE id = $1", one.id)

    await retire_renders(world.database, world.objects, 30)

    assert key in world.files()
    assert await world.renders.stored_object(key) is not None


async def test_an_object_nobody_stored_is_none(world: World) -> None:
    assert await world.renders.stored_object("originals/ada/x.png") is None
