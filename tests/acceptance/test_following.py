"""Going along with somebody's view, and seeing who writes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node
from tests.acceptance.test_wiring import VIEW_AT_REST, canvas_of

pytestmark = pytest.mark.browser

MIDDLE = """() => {
  const { width, height } = document.querySelector(".stage .react-flow").getBoundingClientRect();
  const { a: zoom, e: x, f: y } = new DOMMatrix(getComputedStyle(document.querySelector(".stage .react-flow__viewport")).transform);
  return [Math.round((width / 2 - x) / zoom), Math.round((height / 2 - y) / zoom), Math.round(zoom * 1000)];
}"""  # noqa: E501
IS_AT = f"wanted => JSON.stringify(({MIDDLE})()) === JSON.stringify(wanted)"


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(
            client,
            name="Together",
            nodes=[image_node(), image_node("owl") | {"position": {"x": 900, "y": 500}}],
            edges=[],
        )


def mara_in(easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]) -> Page:
    with easel.client() as client:
        invites = f"/api/workflows/{workflow['id']}/invites"
        invited = client.post(invites, json={"role": "editor", "name": "Mara"}).json()
    page = open_page(browser, complaints, invited["url"])
    page.set_viewport_size({"width": 900, "height": 700})
    canvas_of(page, easel, workflow)
    return page


def test_view_goes_along_until_one_moves_presses_escape_or_they_leave(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    """PG7"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(ada, easel, workflow)
    mara = mara_in(easel, browser, complaints, workflow)
    frame = ada.get_by_test_id("following")
    follow = ada.get_by_role("button", name="Follow Mara")

    follow.click()
    expect(frame).to_contain_text("Following Mara")
    ada.wait_for_function(IS_AT, arg=mara.evaluate(MIDDLE))
    mara.mouse.move(450, 350)
    mara.mouse.wheel(-220, -160)
    zoom = mara.evaluate(MIDDLE)[2]
    mara.keyboard.press("+")
    mara.wait_for_function(f"before => ({MIDDLE})()[2] > before", arg=zoom)
    mara.evaluate(VIEW_AT_REST)
    ada.wait_for_function(IS_AT, arg=mara.evaluate(MIDDLE))
    ada.screenshot(path=tmp_path / "following.png")

    ada.keyboard.press("Escape")
    expect(frame).to_have_count(0)
    follow.click()
    expect(frame).to_be_visible()
    ada.mouse.move(640, 500)
    ada.mouse.wheel(0, 120)
    expect(frame).to_have_count(0)
    follow.click()
    expect(frame).to_be_visible()
    mara.context.close()
    expect(frame).to_have_count(0)
    expect(ada.get_by_text("Mara has left.")).to_be_visible()
    ada.context.close()


def test_text_says_who_is_writing_in_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG8"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(ada, easel, workflow)
    mara = mara_in(easel, browser, complaints, workflow)
    owl = '.react-flow__node[data-id="owl"]'

    mara.locator(owl).get_by_test_id("prompt").focus()
    expect(ada.locator(owl)).to_contain_text("Mara is writing")
    expect(ada.get_by_text("Mara is writing")).to_have_count(1)
    mara.locator(owl).get_by_test_id("prompt").blur()
    expect(ada.get_by_text("Mara is writing")).to_have_count(0)
    for page in (ada, mara):
        page.context.close()
