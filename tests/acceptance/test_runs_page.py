"""The runs page: what is being made, what happened to it, and what it cost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_first_light import create, image_node, start, watch

pytestmark = pytest.mark.browser
NODES = ("fox", "owl", "ship")


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(client, name="Runs to look at", nodes=[image_node(name) for name in NODES], edges=[])


@pytest.fixture
def page(easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]) -> Page:
    with easel.client() as client:
        watch(client, start(client, workflow, "fox", size="256x256"))
    page = open_page(browser, complaints, easel.run("login-link"))
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("combobox", name="Canvas").select_option(workflow["id"])
    expect(page.get_by_test_id("run")).to_have_count(1)
    return page


def test_runs_appear_by_themselves_are_filtered_and_cancelled(
    page: Page, easel: RunningEasel, workflow: dict[str, Any]
) -> None:
    """PG32"""
    runs = page.get_by_test_id("run")
    with easel.client() as client:
        job_id = start(client, workflow, "owl", size="2048x2048", n=4)
        expect(runs).to_have_count(2, timeout=10_000)
        runs.first.click()
        detail = page.get_by_test_id("run-detail")
        detail.get_by_role("button", name="Cancel").click()
        expect(runs.first).to_contain_text("Cancelled", timeout=10_000)
        assert client.get(f"/api/runs/{job_id}").json()["status"] == "cancelled"

    expect(detail.get_by_role("listitem").first).to_contain_text("Waiting for a worker")
    page.get_by_role("combobox", name="State").select_option("completed")
    expect(runs).to_have_count(1)
    page.get_by_role("combobox", name="Provider").select_option("openai")
    expect(page.get_by_role("heading", name="No run is like that")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(runs.nth(1)).to_be_visible()


def test_a_run_tells_what_happened_and_is_run_again_by_keyboard(page: Page, workflow: dict[str, Any]) -> None:
    """PG32"""
    runs = page.get_by_test_id("run")
    runs.first.press("Enter")
    detail = page.get_by_test_id("run-detail")
    expect(detail.get_by_role("listitem").last).to_contain_text("Done")
    expect(detail.get_by_text("$0.00")).to_be_visible()
    detail.get_by_role("button", name="Run again").press("Enter")
    expect(runs).to_have_count(2, timeout=10_000)
    runs.first.focus()
    page.keyboard.press("ArrowDown")
    expect(runs.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    detail.get_by_role("button", name="Runs of this node").press("Enter")
    expect(runs).to_have_count(2)
    expect(page.get_by_role("button", name="Only one node")).to_be_visible()


def test_a_list_that_cannot_be_had_says_so_and_is_asked_for_again(page: Page, complaints: list[str]) -> None:
    """PG32"""
    page.route("**/api/runs?*", lambda route: route.abort())
    page.get_by_role("combobox", name="State").select_option("failed")
    expect(page.get_by_role("alert")).to_contain_text("Easel cannot be reached")
    page.unroute("**/api/runs?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="No run is like that")).to_be_visible()
    complaints[:] = [said for said in complaints if "net::ERR_FAILED" not in said]


@SCHEMES
def test_everybody_can_use_it(page: Page, scheme: Any) -> None:
    """PG17"""
    page.emulate_media(color_scheme=scheme)
    page.get_by_test_id("run").first.click()
    page.get_by_text("In numbers").click()
    expect(page.get_by_role("cell", name="local").first).to_be_visible()
    assert findings(page) == []
