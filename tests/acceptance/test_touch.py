"""A canvas under fingers, on a screen as wide as a phone's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import by_id, create, image_node
from tests.acceptance.test_wiring import VIEW_AT_REST, canvas_of, middle_of

pytestmark = pytest.mark.browser

SMALLEST_PX = 40
TOO_SMALL = f"""() => [...document.querySelectorAll("button, a.button, [role=menuitem]")]
  .filter(each => each.checkVisibility() && each.closest(".react-flow__viewport, .toasts") === null)
  .map(each => [each.getAttribute("aria-label") ?? each.textContent, each.getBoundingClientRect()])
  .filter(([, {{ width, height }}]) => width < {SMALLEST_PX} - 8 || height < {SMALLEST_PX} - 8)
  .map(([name]) => name)"""
OUTSIDE = """() => [...document.querySelectorAll(".bar, .bar button, .bar a, .gallery__bar button, .gallery__bar a")]
  .filter(each => each.checkVisibility())
  .filter(each => { const { left, right } = each.getBoundingClientRect(); return left < 0 || right > innerWidth; })
  .map(each => each.getAttribute("aria-label") ?? each.className)"""
ZOOM = "() => new DOMMatrix(getComputedStyle(document.querySelector('.stage .react-flow__viewport')).transform).a"


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(client, name="In the hand", nodes=[image_node()], edges=[])


def phone(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], **options: Any
) -> Page:
    page = open_page(browser, complaints, easel.run("login-link"), has_touch=True, **options)
    page.set_viewport_size({"width": 390, "height": 780})
    expect(page.get_by_role("button", name="your account")).to_be_visible()
    assert page.evaluate(OUTSIDE) == []
    canvas_of(page, easel, workflow)
    return page


class Fingers:
    """On the glass of a page; `touch` is told where each of them is."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """`kind`: touchStart, touchMove or touchEnd."""
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def long_press(page: Page, part: Locator) -> None:
    fingers = Fingers(page)
    fingers.touch("touchStart", middle_of(part))
    expect(page.get_by_role("menu")).to_be_visible()
    fingers.touch("touchEnd")


@SCHEMES
def test_everything_is_in_reach_of_a_finger(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    """PG16"""
    page = phone(easel, browser, complaints, workflow, color_scheme=scheme)
    page.screenshot(path=tmp_path / "phone.png")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(TOO_SMALL) == []
    assert findings(page) == []

    long_press(page, page.get_by_test_id("image-node").locator(".card__head"))
    page.screenshot(path=tmp_path / "menu.png")
    assert page.evaluate(TOO_SMALL) == []
    page.get_by_role("menuitem", name="Duplicate").tap()
    expect(page.get_by_test_id("image-node")).to_have_count(2)
    page.context.close()


def test_two_fingers_zoom(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG16"""
    page = phone(easel, browser, complaints, workflow)
    page.evaluate(VIEW_AT_REST)
    before = page.evaluate(ZOOM)
    fingers = Fingers(page)
    fingers.touch("touchStart", (150, 600), (240, 600))
    for step in range(1, 6):
        fingers.touch("touchMove", (150 - 14 * step, 600), (240 + 14 * step, 600))
    fingers.touch("touchEnd")
    page.wait_for_function(f"before => ({ZOOM})() > before * 1.3", arg=before)
    page.context.close()


@pytest.mark.parametrize(("width", "is_far"), [(1300, True), (300, False)])
@pytest.mark.parametrize("part", ["prompt", "generate", "model", "port"])
def test_far_out_a_finger_moves_a_card_by_any_place_on_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], width: int, is_far: bool, part: str
) -> None:
    """PG43"""
    owl = image_node("owl") | {"position": {"x": width, "y": 0}}
    with easel.client() as client:
        workflow = create(client, name="Far out", nodes=[image_node(), owl], edges=[])
    page = phone(easel, browser, complaints, workflow)
    assert (page.evaluate(ZOOM) < 0.25) == is_far
    card = page.locator('.stage [data-id="fox"]')
    parts = {
        "prompt": card.get_by_test_id("prompt"),
        "generate": card.get_by_test_id("generate"),
        "model": card.get_by_label("Model", exact=True),
        "port": card.get_by_label("Output", exact=True),
    }
    x, y = middle_of(parts[part])
    before = card.bounding_box()
    fingers = Fingers(page)
    fingers.touch("touchStart", (x, y))
    for step in range(1, 11):
        fingers.touch("touchMove", (x + step, y + 12 * step))
    fingers.touch("touchEnd")
    saved(page)
    moved = by_id(stored(easel, workflow["id"])["nodes"])["fox"]["position"]
    assert (moved["y"] > 300) == is_far
    assert (card.bounding_box() != before) == is_far
    page.context.close()
