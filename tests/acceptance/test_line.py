"""Which place a run has while it waits, as everybody sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node, start

pytestmark = pytest.mark.browser
NODES = ("fox", "owl", "hare", "ship")


@pytest.fixture
def slow_easel(tmp_path: Path) -> Iterator[RunningEasel]:
    """One worker, one run at a time, and none ends by itself."""
    running = RunningEasel(tmp_path / "data", EASEL_WORKER_CONCURRENCY="1", EASEL_LOCAL_PACE_SECONDS="300")
    yield running
    running.stop()


def words(page: Page, node: str) -> Locator:
    return page.locator(f'.react-flow__node[data-id="{node}"]').get_by_test_id("run-text")


def test_everybody_sees_the_places_of_those_that_wait_and_they_move_up(
    slow_easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG36, JB46"""
    nodes = [image_node(name) | {"position": {"x": 320 * number, "y": 0}} for number, name in enumerate(NODES)]
    with slow_easel.client() as client:
        made = create(client, name="A line", nodes=nodes, edges=[])
        page = open_page(browser, complaints, slow_easel.run("login-link"))
        page.goto(f"{slow_easel.url}/w/{made['id']}")
        jobs = [start(client, made, name) for name in NODES]

        for node, text in (("owl", "Next in line"), ("hare", "2nd in line"), ("ship", "3rd in line")):
            expect(words(page, node)).to_have_text(text)
        expect(words(page, "fox")).not_to_contain_text("line")

        page.locator('.react-flow__node[data-id="fox"]').get_by_role("button", name="Cancel").click()
        expect(words(page, "hare")).to_have_text("Next in line")
        expect(words(page, "ship")).to_have_text("2nd in line")
        expect(words(page, "owl")).not_to_contain_text("line")

        page.reload()
        expect(words(page, "ship")).to_have_text("2nd in line")
        invited = client.post(f"/api/workflows/{made['id']}/invites", json={"role": "viewer", "name": "Bo"}).json()
        other = open_page(browser, complaints, invited["url"])
        other.goto(f"{slow_easel.url}/w/{made['id']}")
        expect(words(other, "hare")).to_have_text("Next in line")
        client.post(f"/api/runs/{jobs[2]}/cancel")
        expect(words(other, "ship")).to_have_text("Next in line")
