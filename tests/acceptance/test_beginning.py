"""An empty canvas: what it can begin with, up to the first picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import create, image_node
from tests.acceptance.test_wiring import VIEW_AT_REST, canvas_of

pytestmark = pytest.mark.browser


@SCHEMES
def test_templates_begin_a_canvas_and_one_step_takes_them_back(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG12"""
    with easel.client() as client:
        workflow = create(client, name="New", nodes=[], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    canvas_of(page, easel, workflow)
    templates = page.get_by_test_id("template")
    expect(templates).to_have_count(5)
    page.screenshot(path=tmp_path / "empty.png")
    assert findings(page) == []

    templates.filter(has_text="Variations").click()
    expect(page.locator(".react-flow__node")).to_have_count(6)
    expect(page.locator(".react-flow__edge")).to_have_count(8)
    page.evaluate(VIEW_AT_REST)
    expect(page.get_by_test_id("output-node")).to_be_in_viewport(ratio=0.99)
    expect(page.get_by_test_id("prompt-node")).to_be_in_viewport(ratio=0.99)
    page.screenshot(path=tmp_path / "variations.png")
    assert findings(page) == []
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node")).to_have_count(0)
    expect(templates).to_have_count(5)
    saved(page)
    assert stored(easel, workflow["id"])["nodes"] == []
    page.context.close()


def test_who_adds_a_card_goes_on_with_its_words(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    """PG12"""
    with easel.client() as client:
        workflow = create(client, name="New", nodes=[], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(page, easel, workflow)
    prompts = page.get_by_test_id("prompt")

    page.keyboard.press("i")
    expect(prompts).to_be_focused()
    page.keyboard.type("a fox in the snow")
    expect(prompts).to_have_value("a fox in the snow")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(prompts.last).to_be_focused()
    first, second = (each.bounding_box() for each in page.get_by_test_id("image-node").all())
    assert first is not None
    assert second is not None
    assert second["x"] > first["x"] + first["width"]
    page.keyboard.press("Control+z")

    expect(prompts).to_have_count(1)
    expect(prompts).to_have_value("a fox in the snow")
    page.keyboard.press("Space")
    page.keyboard.type("note")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Note")).to_be_focused()
    page.context.close()


def test_from_a_template_to_a_picture_without_writing_a_word(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    page = open_page(browser, complaints, easel.run("login-link"))
    page.get_by_test_id("new-workflow").click()
    page.get_by_role("button", name="Prompt to image").press("Enter")
    image = page.get_by_test_id("image-node")
    expect(image).to_contain_text("a lighthouse on a cliff")
    image.get_by_test_id("generate").click()
    expect(image.get_by_test_id("picture")).to_be_visible(timeout=20_000)
    page.context.close()


NOTE_WHERE_A_CARD_IS_SEEN = """
  window.__places = [];
  const look = () => {
    const card = document.querySelector(".react-flow__node");
    if (card !== null && getComputedStyle(card).visibility === "visible") {
      const { left, top } = card.getBoundingClientRect();
      window.__places.push(`${Math.round(left)}, ${Math.round(top)}`);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""


def test_cards_are_in_their_places_when_they_are_first_seen(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG45"""
    with easel.client() as client:
        workflow = create(client, name="Opened", nodes=[image_node()], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    page.add_init_script(NOTE_WHERE_A_CARD_IS_SEEN)
    canvas_of(page, easel, workflow)
    page.wait_for_function("() => window.__places.length >= 40")  # two thirds of a second

    places = page.evaluate("window.__places")
    assert set(places[2:]) == {places[-1]}, places  # two frames, in which the browser lays them out
    page.context.close()
