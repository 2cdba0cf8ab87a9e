"""The drawer: one's own pictures beside the canvas, and onto it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.acceptance.test_frames import frame
from tests.acceptance.test_journeys import card, mara_at
from tests.acceptance.test_touch import OUTSIDE, phone
from tests.acceptance.test_wiring import canvas_of, middle_of

pytestmark = pytest.mark.browser

FOX, OWL = "a fox that is looked for", "an owl that has just come"
HAS_COME = "each => each.complete && each.naturalWidth > 0"


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    """A picture of a fox, and beside it a frame."""
    with easel.client() as client:
        made = create(client, name="From the drawer", nodes=[image_node(), frame("board", 360, 0, 700)], edges=[])
        watch(client, start(client, made, "fox", basePrompt=FOX, size="768x512", seed=3))
    return made


def drawer_of(page: Page) -> Locator:
    return page.get_by_role("complementary", name="My renders")


def pictures(easel: RunningEasel, workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The image nodes, but for the one that made the picture."""
    nodes = stored(easel, workflow["id"])["nodes"]
    return {node["id"]: node for node in nodes if node["type"] == "image_generation" and node["id"] != "fox"}


@SCHEMES
def test_pictures_are_dragged_and_pressed_onto_the_canvas(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    """PG44, PG42"""
    ada = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    canvas_of(ada, easel, workflow)
    mara = mara_at(easel, browser, complaints, workflow, color_scheme=scheme)
    ada.keyboard.press("p")
    drawer = drawer_of(ada)
    fox = drawer.get_by_role("button", name=FOX).first
    expect(drawer.get_by_test_id("drawer-tile").first).to_have_accessible_name(FOX)
    before = stored(easel, workflow["id"])["seq"]

    x, y = middle_of(card(ada, "board"))
    ada.mouse.move(*middle_of(fox))
    ada.mouse.down()
    ada.mouse.move(x, y, steps=10)
    ada.screenshot(path=tmp_path / "held.png")
    ada.mouse.up()
    expect(ada.get_by_test_id("image-node")).to_have_count(2)
    saved(ada)
    [(dragged, record)] = pictures(easel, workflow).items()
    assert record["parentId"] == "board"
    assert stored(easel, workflow["id"])["seq"] == before + 1
    box = card(ada, dragged).bounding_box()
    assert box is not None
    assert box["x"] <= x <= box["x"] + box["width"]
    assert box["y"] <= y <= box["y"] + box["height"]

    drawer.get_by_role("searchbox").fill("looked FOX")
    expect(drawer.get_by_role("button", name=OWL)).to_have_count(0)
    ada.keyboard.press("Tab")
    expect(fox).to_be_focused()
    ada.keyboard.press("Enter")
    expect(ada.get_by_test_id("image-node")).to_have_count(3)
    expect(fox).to_be_focused()
    saved(ada)
    [pressed] = pictures(easel, workflow).keys() - {dragged}
    for page in (ada, mara):
        for node_id in (dragged, pressed):
            picture = card(page, node_id).get_by_test_id("picture")
            expect(picture).to_be_visible()
            page.wait_for_function(HAS_COME, arg=picture.element_handle())
    ada.screenshot(path=tmp_path / "put.png")
    assert findings(ada) == []
    made = next(node["data"] for node in stored(easel, workflow["id"])["nodes"] if node["id"] == "fox")
    for record in pictures(easel, workflow).values():
        assert record["data"]["imageUrl"] == made["imageUrl"]
        assert (record["data"]["prompt"], record["data"]["seed"]) == (FOX, 3)

    ada.keyboard.press("Control+z")
    for page in (ada, mara):
        expect(card(page, pressed)).to_have_count(0)
        expect(card(page, dragged)).to_have_count(1)
    ada.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    for page in (ada, mara):
        page.context.close()


def test_drawer_follows_what_is_made_and_gives_way(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG44"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(ada, easel, workflow)
    ada.get_by_test_id("pictures").click()
    drawer = drawer_of(ada)
    first = drawer.get_by_test_id("drawer-tile").first
    expect(first).to_have_accessible_name(FOX)
    with easel.client() as client:
        start(client, workflow, "fox", basePrompt=OWL, size="512x512", seed=4)
    expect(first).to_have_accessible_name(OWL)
    ada.get_by_test_id("history").click()
    expect(drawer).to_have_count(0)
    ada.get_by_test_id("pictures").click()
    expect(ada.get_by_role("complementary", name="Version history")).to_have_count(0)
    drawer.get_by_role("searchbox").fill("what nobody has painted")
    expect(drawer.get_by_text("No picture like that")).to_be_visible()
    with easel.client() as client:
        link = client.post(f"/api/workflows/{workflow['id']}/shares", json={"role": "viewer"}).json()["url"]
    viewer = open_page(browser, complaints, link)
    canvas_of(viewer, easel, workflow)
    expect(viewer.get_by_role("button", name="Shortcuts")).to_be_visible()
    expect(viewer.get_by_test_id("pictures")).to_have_count(0)
    viewer.keyboard.press("p")
    viewer.keyboard.press("h")
    expect(viewer.get_by_role("complementary")).to_have_count(1)  # of the versions
    for page in (ada, viewer):
        page.context.close()


def test_tap_puts_a_picture_where_it_is_seen(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    """PG44, PG16"""
    page = phone(easel, browser, complaints, workflow)
    page.get_by_test_id("pictures").tap()
    drawer_of(page).get_by_role("button", name=FOX).first.tap()
    expect(page.get_by_test_id("image-node")).to_have_count(2)
    saved(page)
    [put] = pictures(easel, workflow)
    expect(card(page, put).get_by_test_id("picture")).to_be_visible()
    page.screenshot(path=tmp_path / "phone.png")
    assert page.evaluate(OUTSIDE) == []
    assert findings(page) == []
    box, panel = card(page, put).bounding_box(), drawer_of(page).bounding_box()
    assert box is not None
    assert panel is not None
    assert box["y"] + box["height"] / 2 < panel["y"]
    page.get_by_test_id("undo").tap()
    expect(card(page, put)).to_have_count(0)
    page.context.close()
