"""Being somebody in the page: what was said to one, and signing out here and everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.acceptance.test_uploads import hand_over
from tests.acceptance.test_wiring import canvas_of

pytestmark = pytest.mark.browser

SURROUNDINGS = ".bar, .overview, .react-flow__controls, .react-flow__node"
ON_A_NARROW_SCREEN = SURROUNDINGS.replace(".bar", ".bar--tools")
UNDER_TOASTS = """(surroundings) => {
  const visible = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
  const toasts = visible(".toast").map((each) => each.getBoundingClientRect());
  const isUnder = (a) =>
    toasts.some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom);
  return visible(surroundings).filter((each) => isUnder(each.getBoundingClientRect())).map((each) => each.className);
}"""


def is_signed_out(page: Page, easel: RunningEasel) -> bool:
    return page.context.request.get(f"{easel.url}/api/me").status == 401


def only_401(complaints: list[str]) -> None:
    """Whoever is signed out is nobody, and the browser's console says so."""
    assert all("401" in one for one in complaints), complaints
    complaints.clear()


def fail(easel: RunningEasel, workflow: dict[str, Any], error: str) -> None:
    with easel.client() as client:
        for data in ({"jobId": "run_1", "status": "running"}, {"status": "error", "error": error}):
            sent = client.patch(f"/api/workflows/{workflow['id']}/nodes/fox", json={"data": data})
            assert sent.status_code == 200


def test_errors_are_read_later_with_their_next_step(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """PG18"""
    with easel.client() as client:
        workflow = create(client, name="News", nodes=[image_node()], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(page, easel, workflow)
    fail(easel, workflow, failed := "The key was refused. Put a valid OPENAI_API_KEY into .env and start again.")

    toast = page.locator(".toast")
    expect(toast).to_contain_text(failed)
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    bell = page.get_by_role("button", name="News, 1 of them unread errors")
    bell.click()
    news = page.get_by_test_id("news-list")
    expect(news).to_contain_text(failed)
    assert findings(page) == []
    page.screenshot(path=tmp_path / "news.png")
    news.get_by_role("button", name="Show").click()
    expect(news).to_have_count(0)
    expect(page.locator(".react-flow__node.selected")).to_have_count(1)
    expect(bell).to_have_count(0)
    page.get_by_role("button", name="News", exact=True).click()
    news.get_by_role("button", name="Clear").click()
    expect(news).to_contain_text("Nothing to tell")
    page.context.close()


@pytest.mark.parametrize(
    ("width", "scheme", "count", "surroundings"),
    [
        (1280, "light", 2, SURROUNDINGS),
        (1024, "dark", 2, SURROUNDINGS),
        (768, "light", 1, ON_A_NARROW_SCREEN),
        (390, "dark", 1, ON_A_NARROW_SCREEN),
    ],
)
def test_what_is_said_lies_over_nothing_that_is_worked_with(
    easel: RunningEasel,
    browser: Browser,
    complaints: list[str],
    tmp_path: Path,
    width: int,
    scheme: str,
    count: int,
    surroundings: str,
) -> None:
    """PG41"""
    with easel.client() as client:
        workflow = create(client, name="News", nodes=[image_node()], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme, has_touch=width < 800)
    page.set_viewport_size({"width": width, "height": 800})
    canvas_of(page, easel, workflow)
    hand_over(page, "drop", ".react-flow__pane", ("notes.txt", "text/plain", b"no picture"))
    page.get_by_text("Only pictures can be put here").hover()  # it stays
    fail(easel, workflow, "The key was refused. Put a valid OPENAI_API_KEY into .env and start again.")

    expect(page.locator(".toast")).to_have_count(2)
    expect(page.locator(".toast:visible")).to_have_count(count)
    page.screenshot(path=tmp_path / "said.png")
    assert page.evaluate(UNDER_TOASTS, surroundings) == []
    assert findings(page) == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_said_can_be_read_over_the_large_view(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG41"""
    with easel.client() as client:
        workflow = create(client, name="News", nodes=[image_node()], edges=[])
        watch(client, start(client, workflow, "fox", basePrompt="a fox", size="512x512", seed=3))
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    canvas_of(page, easel, workflow)
    page.get_by_test_id("picture").click()
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    hand_over(page, "drop", ".react-flow__pane", ("notes.txt", "text/plain", b"no picture"))
    said = page.get_by_test_id("lightbox").get_by_text("Only pictures can be put here")
    said.hover()
    page.screenshot(path=tmp_path / "large.png")
    expect(said).to_have_css("color", page.evaluate("getComputedStyle(document.body).color"))
    page.context.close()


def test_what_is_said_stays_while_it_is_pointed_at(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG41"""
    page = open_page(browser, complaints, easel.run("login-link"))
    page.clock.install()
    page.goto(easel.url)
    page.get_by_label("Import a JSON file").set_input_files(
        {"name": "flow.json", "mimeType": "application/json", "buffer": b"no flow"}
    )
    toast = page.locator(".toast")
    toast.hover()
    page.clock.fast_forward(60_000)
    expect(toast).to_contain_text("is not JSON")
    page.mouse.move(640, 20)
    toast.get_by_role("button", name="Dismiss").focus()
    page.clock.fast_forward(60_000)
    expect(toast).to_be_visible()
    toast.get_by_role("button", name="Dismiss").blur()
    page.clock.fast_forward(60_000)
    expect(toast).to_have_count(0)
    page.context.close()


def test_signing_out_ends_this_browser_alone_or_all_of_them(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """PG19"""
    with easel.client() as client:
        workflow = create(client, name="Going", nodes=[image_node()], edges=[])
    here, there, third = (open_page(browser, complaints, easel.run("login-link")) for _ in range(3))
    for page in (here, there):
        canvas_of(page, easel, workflow)

    here.get_by_role("button", name="your account").click()
    here.get_by_role("menuitem", name="Sign out…").click()
    dialog = here.get_by_role("dialog", name="Sign out")
    expect(dialog).to_contain_text("You come back with a new login link")
    here.screenshot(path=tmp_path / "sign-out.png")
    dialog.get_by_role("button", name="Sign out").click()
    expect(here.get_by_role("heading", name="You have signed out")).to_be_visible()
    expect(here.get_by_text("run easel login-link for a new one")).to_be_visible()
    assert is_signed_out(here, easel)
    assert not is_signed_out(there, easel)

    third.get_by_role("button", name="your account").click()
    third.get_by_role("menuitem", name="Sign out everywhere…").click()
    dialog = third.get_by_role("dialog", name="Sign out everywhere")
    assert findings(third) == []
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(there.get_by_role("heading", name="You have been signed out")).to_be_visible()
    assert is_signed_out(there, easel)
    assert is_signed_out(third, easel)
    only_401(complaints)
    for page in (here, there, third):
        page.context.close()
