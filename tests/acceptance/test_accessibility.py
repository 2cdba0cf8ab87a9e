"""axe-core on every page and dialog, in light and dark: nothing serious or critical."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.acceptance.test_uploads import PHOTOGRAPH, hand_over

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_FINDINGS = """async () => (await axe.run(document)).violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)"""

_AT_REST = """() => Promise.allSettled(document.getAnimations()
  .filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished))"""


def findings(page: Page) -> list[str]:
    page.evaluate(_AT_REST)  # half faded in, nothing has its contrast
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(_FINDINGS)
    return found


@pytest.fixture(scope="module")
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        made = create(client, name="For everybody", nodes=[image_node("fox"), image_node("owl")], edges=[])
        watch(client, start(client, made, "fox", basePrompt="a fox", size="512x512", seed=3))
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_somebody_signed_in(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], scheme: str
) -> None:
    """PG17"""
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    expect(page.get_by_test_id("workflow-item").first).to_be_visible()
    found = {"list": findings(page)}

    page.get_by_role("link", name="My renders").click()
    page.get_by_test_id("tile").first.click()
    expect(page.get_by_test_id("detail")).to_be_visible()
    found["renders"] = findings(page)

    page.keyboard.press("Escape")
    page.get_by_role("link", name="Artworks").click()
    expect(page.get_by_role("heading", name="Artworks", exact=True)).to_be_visible()
    hand_over(page, "drop", ".pictures", (f"For all {scheme}.jpg", "image/jpeg", PHOTOGRAPH))
    page.get_by_role("option", name=f"For all {scheme}", exact=True).click(timeout=20_000)
    expect(page.get_by_test_id("detail")).to_be_visible()
    found["artworks"] = findings(page)

    page.goto(f"{easel.url}/w/{workflow['id']}")
    expect(page.get_by_test_id("picture").first).to_be_visible()
    found["canvas"] = findings(page)
    page.get_by_role("button", name="Shortcuts").click()
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    found["shortcuts"] = findings(page)
    page.keyboard.press("Escape")
    page.get_by_test_id("share").click()
    dialog = page.get_by_test_id("share-dialog")
    dialog.get_by_label("Name of the person").fill(f"Someone {scheme}")
    dialog.get_by_role("button", name="Invite").click()
    expect(dialog.get_by_test_id("invitation")).to_be_visible()
    dialog.get_by_role("button", name="Create link").click()
    expect(dialog.get_by_test_id("share-link").first).to_be_visible()
    found["share"] = findings(page)

    problems = [f"{place}: {one}" for place, ones in found.items() for one in ones]
    assert problems == [], "\n".join(problems)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_guests_and_of_nobody(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], scheme: str
) -> None:
    """PG17"""
    with easel.client() as client:
        shares = f"/api/workflows/{workflow['id']}/shares"
        link = client.post(shares, json={"role": "viewer"}).json()
    page = open_page(browser, complaints, link["url"], color_scheme=scheme)
    expect(page.get_by_test_id("picture").first).to_be_visible()
    found = {"viewer": findings(page)}
    page.get_by_role("button", name="Say who you are").click()
    expect(page.get_by_role("dialog", name="Your name")).to_be_visible()
    found["name"] = findings(page)
    page.keyboard.press("Escape")
    with easel.client() as client:
        client.delete(f"{shares}/{link['id']}")
    expect(page.get_by_role("heading", name="You no longer have access")).to_be_visible()
    found["closed"] = findings(page)
    page.context.clear_cookies()
    page.goto(link["url"])
    expect(page.get_by_role("heading", name="This link has ended")).to_be_visible()
    found["ended"] = findings(page)
    page.goto(easel.url)
    expect(page.get_by_role("heading", name="Open your login link")).to_be_visible()
    found["sign-in"] = findings(page)

    problems = [f"{place}: {one}" for place, ones in found.items() for one in ones]
    assert problems == [], "\n".join(problems)
    assert all("404" in one or "401" in one for one in complaints), complaints  # of the link, and of nobody
    complaints.clear()
    page.context.close()


def seen(page: Page, found: dict[str, list[str]], name: str) -> None:
    """Looks at what has opened, and closes it."""
    expect(page.get_by_role("dialog", name=name, exact=True).last).to_be_visible()
    found[name] = findings(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name=name, exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_and_menus_of_the_canvas(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], scheme: str
) -> None:
    """PG17"""
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    page.goto(f"{easel.url}/w/{workflow['id']}")
    picture = page.get_by_test_id("picture").first
    expect(picture).to_be_visible()
    found: dict[str, list[str]] = {}

    page.keyboard.press("Space")
    seen(page, found, "Add a node")
    page.get_by_role("button", name="Open picture").first.press("Enter")
    seen(page, found, "Picture")
    page.get_by_test_id("image-node").first.locator(".card__head").click(button="right")
    seen(page, found, "What is selected")
    page.mouse.click(200, 300, button="right")
    seen(page, found, "Canvas")
    page.get_by_role("button", name="your account").click()
    seen(page, found, "Your account")
    for item, name in (
        ("Your name…", "Your name"),
        ("Sign out…", "Sign out"),
        ("Sign out everywhere…", "Sign out everywhere"),
    ):
        page.get_by_role("button", name="your account").click()
        page.get_by_role("menuitem", name=item).click()
        seen(page, found, name)
    page.get_by_test_id("news").click()
    seen(page, found, "News")
    page.keyboard.press("Control+a")
    expect(page.get_by_role("toolbar", name="2 nodes")).to_be_visible()
    found["selection"] = findings(page)
    page.keyboard.press("h")
    panel = page.get_by_role("complementary", name="Version history")
    panel.get_by_role("button", name="Keep a version").click()
    expect(panel.get_by_test_id("version").first).to_be_visible()
    found["history"] = findings(page)
    page.keyboard.press("p")
    expect(page.get_by_test_id("drawer-tile").first).to_be_visible()
    found["drawer"] = findings(page)
    answer = page.goto(f"{easel.url}/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    found["nowhere"] = findings(page)
    page.goto(f"{easel.url}/renders")
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_role("button", name="Recently deleted").click()
    expect(page.get_by_role("heading", name="Recently deleted")).to_be_visible()
    found["deleted"] = findings(page)

    problems = [f"{place}: {one}" for place, ones in found.items() for one in ones]
    assert problems == [], "\n".join(problems)
    assert all("404" in one for one in complaints), complaints
    complaints.clear()
    page.context.close()
