"""My Renders in a real browser: from a picture on a canvas to the grid, and what one does with it there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.app.running import execute

pytestmark = pytest.mark.browser

PROMPTS = {"fox": "a watercolor fox in the snow", "owl": "an owl at night", "ship": "a ship in a bottle, über alt"}


@pytest.fixture(scope="module")
def workflow(easel: RunningEasel) -> Iterator[dict[str, Any]]:
    with easel.client() as client:
        made = create(client, nodes=[image_node(name) for name in PROMPTS], edges=[])
        for name, prompt in PROMPTS.items():
            watch(client, start(client, made, name, basePrompt=prompt, size="768x512", seed=7))
        yield made


@pytest.fixture
def page(easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]) -> Iterator[Page]:
    page = open_page(browser, complaints, easel.run("login-link"))
    page.get_by_role("link", name="My renders").click()
    expect(page.get_by_test_id("tile").first).to_be_visible()
    yield page
    page.context.close()


def tile(page: Page, name: str) -> Any:
    return page.get_by_role("option", name=re.compile(re.escape(PROMPTS[name])))


def test_picture_is_found_marked_saved_deleted_and_brought_back(page: Page, tmp_path: Path) -> None:
    page.get_by_role("searchbox").fill("SNOW water")
    expect(page.get_by_test_id("tile")).to_have_count(1)
    tile(page, "fox").click()
    detail = page.get_by_test_id("detail")
    expect(detail.get_by_text("studio-1")).to_be_visible()
    detail.get_by_test_id("favorite").click()
    with page.expect_download() as saving:
        detail.get_by_role("button", name="Download").click()
    assert saving.value.suggested_filename == "a-watercolor-fox-in-the-snow.png"
    assert Path(saving.value.path()).read_bytes().startswith(b"\x89PNG")
    detail.get_by_role("button", name="Use these settings again").hover()
    page.screenshot(path=tmp_path / "detail.png")
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Favourites").click()
    expect(page.get_by_test_id("tile")).to_have_count(1)
    tile(page, "fox").click()

    detail.get_by_role("button", name="Delete").click()

    expect(page.get_by_text("No picture like that")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Favourites").click()
    expect(tile(page, "fox")).to_be_visible()
    page.reload()
    expect(page.get_by_role("option", name=re.compile("fox.*favourite"))).to_be_visible()


def test_keyboard_alone_chooses_deletes_and_restores(page: Page) -> None:
    grid = page.get_by_role("listbox", name="My renders")
    grid.focus()
    count = page.get_by_test_id("tile").count()
    page.keyboard.press("Shift+ArrowRight")
    expect(grid.get_by_role("option", selected=True)).to_have_count(2)
    page.keyboard.press("Space")
    expect(grid.get_by_role("option", selected=True)).to_have_count(1)

    page.keyboard.press("Delete")

    expect(page.get_by_test_id("tile")).to_have_count(count - 1)
    page.get_by_role("button", name="Recently deleted").click()
    expect(page.get_by_test_id("tile")).to_have_count(1)
    page.get_by_role("listbox").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Nothing was deleted lately")).to_be_visible()
    page.get_by_role("button", name="Back to my renders").click()
    expect(page.get_by_test_id("tile")).to_have_count(count)


def test_undo_can_be_pressed_while_the_next_picture_is_open(page: Page) -> None:
    """A modal dialog makes everything beside it dead: what is said has to be said inside."""
    count = page.get_by_test_id("tile").count()
    tile(page, "ship").click()
    detail = page.get_by_test_id("detail")

    detail.get_by_role("button", name="Delete").click()
    expect(page.get_by_test_id("tile")).to_have_count(count - 1)
    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_test_id("tile")).to_have_count(count)


def test_settings_are_used_again_on_a_canvas(page: Page, workflow: dict[str, Any]) -> None:
    tile(page, "owl").click()
    page.get_by_role("button", name="Use these settings again").click()
    page.get_by_role("combobox", name="On which canvas").select_option(workflow["id"])
    page.get_by_role("button", name="Add node").click()

    page.wait_for_url(re.compile("/w/" + workflow["id"]))
    expect(page.get_by_test_id("image-node")).to_have_count(len(PROMPTS) + 1)
    expect(page.get_by_role("textbox", name="Seed").last).to_have_value("7")
    expect(page.get_by_test_id("prompt").last).to_have_value(PROMPTS["owl"])


def test_what_was_made_from_a_picture_is_shown_with_it(page: Page, easel: RunningEasel) -> None:
    """The built-in provider starts from no picture, so the database is told that it had."""
    in_database(easel, _BORN, PROMPTS["ship"], PROMPTS["owl"])
    tile(page, "owl").click()
    detail = page.get_by_test_id("detail")

    detail.get_by_role("button", name=PROMPTS["ship"]).click()

    expect(detail.get_by_role("heading", name="Made from", exact=True)).to_be_visible()
    expect(detail.get_by_role("button", name=PROMPTS["owl"])).to_be_visible()


def in_database(easel: RunningEasel, query: str, *values: object) -> None:
    with ThreadPoolExecutor(1) as thread:  # this one's event loop is the browser's
        thread.submit(asyncio.run, execute(easel.state().database_url, query, *values)).result()


_BORN = "UPDATE renders SET parent_id = (SELECT id FROM renders WHERE prompt = $2 LIMIT 1) WHERE prompt = $1"


def test_error_says_what_to_do_and_trying_again_helps(page: Page, complaints: list[str]) -> None:
    page.route("**/api/renders?*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("ship")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Easel cannot be reached")
    page.unroute("**/api/renders?*")

    alert.get_by_role("button", name="Try again").click()

    expect(page.get_by_test_id("tile")).to_have_count(1)
    assert all("ERR_FAILED" in one for one in complaints)
    complaints.clear()


@pytest.mark.soak
def test_five_thousand_pictures_scroll_without_holding_the_page_up(
    own_easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """Only what is in view is in the page, and scrolling through all of it draws most frames in time."""
    with own_easel.client() as client:
        made = create(client, nodes=[image_node()], edges=[])
        for seed in range(4):
            watch(client, start(client, made, "fox", seed=seed, size="512x512"))
    in_database(own_easel, _MANY)
    page = open_page(browser, complaints, own_easel.run("login-link"))
    page.goto(f"{own_easel.url}/renders")
    expect(page.get_by_test_id("tile").first).to_be_visible()

    told = page.evaluate(_SCROLL)

    print("frames:", told)
    page.screenshot(path=tmp_path / "many.png")
    assert told["loaded"] == "All 5,000 pictures"
    assert told["most"] < 150
    assert told["p50"] < 34, told  # a busy machine takes the tail away from any page
    page.context.close()


_MANY = """
    WITH painted AS (SELECT *, row_number() OVER (ORDER BY id) AS place FROM renders),
    made AS (
      INSERT INTO renders (id, account_id, run_id, picture, workflow_id, node_id, object_key, width, height,
        content_type, prompt, seed, provider, model, created_at)
      SELECT 'ren_many' || g, account_id, 'many' || g, 0, workflow_id, node_id, object_key, width, height,
        content_type, 'a fox number ' || g, g, provider, model, now() - g * interval '1 min'
      FROM generate_series(1, 4996) g JOIN painted ON painted.place = g % 4 + 1 RETURNING id, object_key)
    INSERT INTO render_variants (render_id, kind, object_key, width, height, content_type)
    SELECT made.id, kind, variants.object_key, variants.width, variants.height, variants.content_type FROM made
    JOIN painted ON painted.object_key = made.object_key
    JOIN render_variants AS variants ON variants.render_id = painted.id"""
_SCROLL = """async () => {
  const area = document.querySelector('.tiles');
  const frame = () => new Promise(requestAnimationFrame);
  const end = () => document.querySelector('p.tiles__end')?.textContent ?? '';
  const times = [];
  let most = 0, last = await frame();
  const isOver = () => end().startsWith('All') && area.scrollTop + area.clientHeight >= area.scrollHeight - 2;
  for (let turn = 0; turn < 4000 && !isOver(); turn++) {
    area.scrollTop += 220;
    const now = await frame();
    times.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll('.tile').length);
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor((times.length - 1) * share)];
  return { loaded: end(), most, frames: times.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), worst: at(1) };
}"""
