"""Frames that take what is dropped into them, as two people see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_clipboard import MAY_COPY
from tests.acceptance.test_first_light import by_id, create, image_node
from tests.acceptance.test_journeys import card, mara_at
from tests.acceptance.test_touch import ZOOM, Fingers, phone
from tests.acceptance.test_uploads import PHOTOGRAPH, hand_over
from tests.acceptance.test_wiring import canvas_of, middle_of

pytestmark = pytest.mark.browser

TAKING = ".group--taking"


def note(node_id: str, x: int, y: int) -> dict[str, Any]:
    return {"id": node_id, "type": "note", "position": {"x": x, "y": y}, "data": {"text": node_id}}


def frame(node_id: str, x: int, y: int, side: int, **more: Any) -> dict[str, Any]:
    size = {"width": side, "height": side}
    return {"id": node_id, "type": "group", "position": {"x": x, "y": y}, "data": {"label": node_id}, **size, **more}


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    nodes = [
        note("one", 0, 0),
        note("two", 0, 180),
        frame("board", 400, 0, 700),
        frame("inner", 330, 330, 350, parentId="board"),
    ]
    with easel.client() as client:
        return create(client, name="Frames", nodes=nodes, edges=[])


def parents(easel: RunningEasel, workflow: dict[str, Any]) -> dict[str, str | None]:
    return {name: node.get("parentId") for name, node in by_id(stored(easel, workflow["id"])["nodes"]).items()}


def corner(part: Locator) -> tuple[float, float]:
    box = part.bounding_box()
    assert box is not None
    return box["x"], box["y"]


def grip(page: Page, node_id: str) -> tuple[float, float]:
    """Where a hand holds a card, or a frame by its ground."""
    x, y = corner(card(page, node_id))
    zoom = zoom_of(page)
    return x + 24 * zoom, y + 12 * zoom


def zoom_of(page: Page) -> float:
    return float(page.evaluate(ZOOM))


def hold(page: Page, node_id: str, right: float, down: float) -> None:
    """Takes it and moves it about this far on the canvas, still holding."""
    x, y = grip(page, node_id)
    zoom = zoom_of(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right * zoom, y + down * zoom, steps=20)


def stands(page: Page, node_id: str, place: tuple[float, float]) -> None:
    """Waits until it is shown there on the screen."""
    page.wait_for_function(
        """([id, x, y]) => {
          const box = document.querySelector(`.stage [data-id="${id}"]`).getBoundingClientRect();
          return Math.abs(box.x - x) < 1 && Math.abs(box.y - y) < 1;
        }""",
        arg=[node_id, *place],
    )


@SCHEMES
def test_what_is_dropped_into_a_frame_is_in_it_for_everybody(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    """PG21"""
    ada = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    canvas_of(ada, easel, workflow)
    mara = mara_at(easel, browser, complaints, workflow, color_scheme=scheme)
    began = corner(card(ada, "one"))
    ada.mouse.click(*grip(ada, "one"))
    ada.keyboard.down("Control")
    ada.mouse.click(*grip(ada, "two"))
    ada.keyboard.up("Control")
    expect(ada.locator(".stage .react-flow__node.selected")).to_have_count(2)

    hold(ada, "one", 420, 20)
    expect(card(ada, "board").locator(TAKING)).to_be_visible()
    expect(card(ada, "inner").locator(TAKING)).to_have_count(0)
    ada.screenshot(path=tmp_path / "over.png")
    assert findings(ada) == []
    held = corner(card(ada, "one"))
    ada.mouse.up()

    expect(ada.locator(TAKING)).to_have_count(0)
    saved(ada)
    assert parents(easel, workflow) == {"one": "board", "two": "board", "board": None, "inner": "board"}
    assert stored(easel, workflow["id"])["seq"] == workflow["seq"] + 1
    for page in (ada, mara):
        stands(page, "one", held)
    mara.screenshot(path=tmp_path / "mara.png")
    hold(mara, "board", 0, 60)  # and goes along with it
    carried = corner(card(mara, "one"))
    mara.mouse.up()
    assert carried[1] > held[1] + 30
    stands(ada, "one", carried)
    ada.keyboard.press("Control+z")
    for page in (ada, mara):
        stands(page, "one", began)
    assert parents(easel, workflow)["one"] is None
    for page in (ada, mara):
        page.context.close()


def test_frame_goes_into_a_frame_and_out_with_what_is_in_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG21"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(ada, easel, workflow)

    hold(ada, "one", 760, 400)
    expect(card(ada, "inner").locator(TAKING)).to_be_visible()
    expect(card(ada, "board").locator(TAKING)).to_have_count(0)
    ada.mouse.up()
    saved(ada)
    assert parents(easel, workflow)["one"] == "inner"
    hold(ada, "inner", -600, 0)
    held = corner(card(ada, "one"))
    ada.mouse.up()
    saved(ada)
    assert parents(easel, workflow) == {"one": "inner", "two": None, "board": None, "inner": None}
    stands(ada, "one", held)
    hold(ada, "inner", 600, 0)
    expect(card(ada, "board").locator(TAKING)).to_be_visible()
    ada.mouse.up()
    saved(ada)
    assert parents(easel, workflow) == {"one": "inner", "two": None, "board": None, "inner": "board"}
    ada.context.close()


def test_finger_puts_a_card_into_a_frame(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    """PG21"""
    with easel.client() as client:
        workflow = create(client, name="In the hand", nodes=[note("one", 0, 0), frame("board", 0, 220, 320)], edges=[])
    page = phone(easel, browser, complaints, workflow)
    (x, y), zoom = grip(page, "one"), zoom_of(page)
    fingers = Fingers(page)
    fingers.touch("touchStart", (x, y))
    for step in range(1, 21):
        fingers.touch("touchMove", (x + step, y + 280 * zoom * step / 20))
    expect(card(page, "board").locator(TAKING)).to_be_visible()
    fingers.touch("touchEnd")
    saved(page)
    assert parents(easel, workflow)["one"] == "board"
    page.context.close()


@pytest.mark.parametrize(("home", "aside"), [("board", 0), (None, 750)])
def test_what_is_put_over_a_frame_is_in_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, home: str | None, aside: int
) -> None:
    """PG42"""
    nodes = [image_node(), frame("board", 400, 0, 700), note("far", 2100, 600)]
    with easel.client() as client:
        workflow = create(client, name="Put", nodes=nodes, edges=[])
    page = open_page(browser, complaints, easel.run("login-link"), permissions=MAY_COPY)
    canvas_of(page, easel, workflow)
    (left, top), zoom = corner(card(page, "board")), zoom_of(page)

    known = {node["id"] for node in nodes}

    def spot(right: int, down: int) -> tuple[float, float]:
        return left + (right + aside) * zoom, top + down * zoom

    def added(pushes: int) -> dict[str, Any]:
        saved(page)
        document = stored(easel, workflow["id"])
        assert document["seq"] == workflow["seq"] + pushes
        page.evaluate("document.activeElement.blur()")
        [newest] = [node for node in document["nodes"] if node["id"] not in known]
        known.add(newest["id"])
        assert newest.get("parentId") == home
        return dict(newest)

    page.mouse.dblclick(*spot(160, 110))
    page.keyboard.type("remark")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("note-node")).to_have_count(2)
    in_search = added(1)
    assert in_search["type"] == "note"

    page.mouse.move(*middle_of(card(page, "fox").get_by_label("Output", exact=True)))
    page.mouse.down()
    page.mouse.move(*spot(160, 400), steps=8)
    page.mouse.up()
    page.get_by_role("listbox").get_by_role("option").first.click()
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    at_the_wire = added(2)

    page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps({"nodes": [note("copied", 0, 0)]}))
    page.mouse.move(*spot(500, 110))
    page.keyboard.press("Control+v")
    expect(page.get_by_test_id("note-node")).to_have_count(3)
    pasted = added(3)

    hand_over(page, "drop", ".react-flow__pane", ("sky.jpg", "image/jpeg", PHOTOGRAPH), at=spot(500, 400))
    expect(page.get_by_test_id("picture")).to_be_visible(timeout=20_000)
    saved(page)
    [dropped] = [node for node in stored(easel, workflow["id"])["nodes"] if node["type"] == "image_upload"]
    assert dropped.get("parentId") == home
    page.screenshot(path=tmp_path / "put.png")
    for put, (x, y) in (
        (in_search, spot(160, 110)),
        (at_the_wire, spot(161, 400)),
        (pasted, spot(500, 110)),
        (dropped, spot(500, 400)),
    ):
        box = card(page, put["id"]).bounding_box()
        assert box is not None
        assert box["x"] <= x <= box["x"] + box["width"]
        assert box["y"] <= y <= box["y"] + box["height"]
    page.context.close()
