"""Twenty nodes in two hands: what is on screen, frame by frame, in real browsers."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create

pytestmark = pytest.mark.browser

COUNT = 20
OWN_PX = 20  # the first of the way of one hand: by then it has hold of the nodes
DRAG_S = 3.0
SMOOTH_MS = 1000 / 30
FEWEST_FPS = [
    pytest.param(5.0, id="no slide show"),  # whatever else the machine does
    pytest.param(30.0, id="smooth", marks=pytest.mark.soak),  # on a quiet one
]

RECORD = """
ids => {
  const frames = window.frames_ = [];
  const nodes = ids.map(id => document.querySelector(`.react-flow__node[data-id="${id}"]`));
  const look = at => {
    frames.push([at, nodes.map(node => { const { e, f } = new DOMMatrix(node.style.transform); return [e, f]; })]);
    window.looking_ = requestAnimationFrame(look);
  };
  window.looking_ = requestAnimationFrame(look);
  addEventListener('pointerup', () => { window.released_ = frames.length; }, { capture: true, once: true });
}
"""
RELEASED = "() => window.released_"
"""How many frames were drawn before the hand let go."""
STOP = "() => { cancelAnimationFrame(window.looking_); return window.frames_; }"

Frames = list[tuple[float, list[tuple[float, float]]]]


class Smoothness(msgspec.Struct, frozen=True):
    frames_per_s: float
    smooth: float
    """The share of frames that came within a thirtieth of a second."""
    moves_per_s: float
    """How often the nodes stood somewhere else than a frame before."""


def smoothness(frames: Frames) -> Smoothness:
    took = [after[0] - before[0] for before, after in pairwise(frames)]
    moves = sum(before[1] != after[1] for before, after in pairwise(frames))
    total_s = sum(took) / 1000
    return Smoothness(
        round(len(took) / total_s, 1),
        round(sum(each <= SMOOTH_MS for each in took) / len(took), 3),
        round(moves / total_s, 1),
    )


def grid(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"n{number}",
            "position": {"x": number % 5 * 240, "y": number // 5 * 160},
            "data": {"label": f"{number}"},
        }
        for number in range(count)
    ]


def open_for_two(easel: RunningEasel, browser: Browser, complaints: list[str]) -> tuple[Page, Page]:
    with easel.client() as client:
        workflow = create(client, nodes=grid(COUNT), edges=[])
        invited = client.post(f"/api/workflows/{workflow['id']}/invites", json={"role": "editor", "name": "Mara"})
    pages = []
    for link in (easel.run("login-link"), invited.json()["url"]):
        page = open_page(browser, complaints, link)
        page.goto(f"{easel.url}/w/{workflow['id']}")
        expect(page.locator(".react-flow__node")).to_have_count(COUNT)
        expect(page.get_by_test_id("connection")).to_have_text("Live")
        page.wait_for_function("() => document.getAnimations().length === 0")
        pages.append(page)
    return pages[0], pages[1]


class Hand:
    """A pointer that holds all nodes by the first one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.locator(".react-flow__pane").click(position={"x": 20, "y": 400})
        page.keyboard.press("Control+a")
        expect(page.locator(".react-flow__node.selected")).to_have_count(COUNT)
        box = page.locator('.react-flow__node[data-id="n0"] .card__title').bounding_box()
        assert box is not None
        self.start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def take(self) -> None:
        self.page.mouse.move(*self.start)
        self.page.mouse.down()

    def move(self, x: float, y: float) -> None:
        self.page.mouse.move(self.start[0] + x, self.start[1] + y)


def record(page: Page) -> None:
    page.evaluate(RECORD, [f"n{number}" for number in range(COUNT)])


def of_first(frames: Frames) -> list[tuple[float, float]]:
    return [places[0] for _, places in frames]


def stored_at(easel: RunningEasel, page: Page) -> tuple[float, float]:
    with easel.client() as client:
        workflow = client.get(f"/api/workflows/{page.url.rpartition('/')[2]}").json()
    place = workflow["nodes"][0]["position"]
    return place["x"], place["y"]


@pytest.mark.parametrize("fewest_fps", FEWEST_FPS)
def test_what_another_drags_moves_on_this_screen_and_never_back(
    easel: RunningEasel, browser: Browser, complaints: list[str], fewest_fps: float
) -> None:
    ada, mara = open_for_two(easel, browser, complaints)
    hand = Hand(ada)
    record(mara)

    hand.take()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < DRAG_S:
        hand.move(passed / DRAG_S * 200, 0)
    hand.page.mouse.up()
    expect(ada.get_by_test_id("connection")).to_have_text("Live")
    final = ada.evaluate(WHERE)
    mara.wait_for_function(f"final => ({WHERE})() === final", arg=final)
    frames: Frames = mara.evaluate(STOP)

    places = [x for x, _ in of_first(frames)]
    moving = [frame for frame, x in zip(frames, places, strict=True) if places[0] < x < places[-1]]
    seen = smoothness(moving)
    print(f"a watched drag: {seen}")
    assert [(a, b) for a, b in pairwise(places) if b < a - 0.01] == []
    assert seen.moves_per_s >= fewest_fps


WHERE = """() => document.querySelector('.react-flow__node[data-id="n0"]').style.transform"""


@pytest.mark.parametrize("fewest_fps", FEWEST_FPS)
def test_two_who_drag_the_same_nodes_each_keep_their_own_until_they_let_go(
    easel: RunningEasel, browser: Browser, complaints: list[str], fewest_fps: float
) -> None:
    ada, mara = open_for_two(easel, browser, complaints)
    hands = Hand(ada), Hand(mara)
    for hand in hands:
        record(hand.page)

    for hand in hands:
        hand.take()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < DRAG_S:
        hands[0].move(passed / DRAG_S * 200, 0)
        hands[1].move(0, passed / DRAG_S * 200)
    for hand in hands:
        hand.page.mouse.up()
    mara.wait_for_function(f"() => ({WHERE})() === window.last_ || (window.last_ = ({WHERE})(), false)", polling=300)
    ada.wait_for_function(f"final => ({WHERE})() === final", arg=mara.evaluate(WHERE))
    recorded: list[Frames] = [hand.page.evaluate(STOP) for hand in hands]

    final = stored_at(easel, ada)
    for hand, frames, own in zip(hands, recorded, (0, 1), strict=True):
        path = of_first(frames)
        released: int = hand.page.evaluate(RELEASED)
        moved = next(at for at, place in enumerate(path) if place[own] > OWN_PX)  # before, one may see the other's hand
        along = [place[own] for place in path[moved:released]]
        across = [place[1 - own] for place in path[moved:released]]
        assert path[-1] == pytest.approx(final, abs=1)
        assert max(across) - min(across) < 5, "the other's hand shows through"
        assert [(a, b) for a, b in pairwise(along) if b < a - 0.01] == []
        farthest = max(range(len(path)), key=lambda at: path[at][own])  # the last move may be drawn with the release
        assert is_one_way(path[farthest:]), path[farthest:]
        seen = smoothness(
            [frame for frame, place in zip(frames, path, strict=True) if path[0][own] < place[own]][:released]
        )
        print(f"a drag against another's: {seen}")
        assert seen.frames_per_s >= fewest_fps


def is_one_way(path: list[tuple[float, float]]) -> bool:
    """From the first place to the last one, without turning back."""
    far = [abs(x - path[-1][0]) + abs(y - path[-1][1]) for x, y in path]
    return all(after <= before + 0.01 for before, after in pairwise(far))
