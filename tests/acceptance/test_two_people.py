"""Two people at one canvas, in real browsers: what one does, the other sees."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import FLOWS, LARGEST, create, image_node

pytestmark = pytest.mark.browser

PROMPT = "a lighthouse in the fog"


def test_from_the_login_link_to_a_picture_that_both_see(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """PG22"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    ada.get_by_test_id("new-workflow").click()
    expect(ada.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    workflow_id = ada.url.rpartition("/")[2]
    with easel.client() as client:
        invited = client.post(f"/api/workflows/{workflow_id}/invites", json={"role": "editor", "name": "Mara"})
    mara = open_page(browser, complaints, invited.json()["url"], color_scheme="dark")
    mara.goto(ada.url)
    expect(mara.get_by_test_id("presence-avatar")).to_have_count(2)
    ada.keyboard.press("i")
    node = ada.get_by_test_id("image-node")
    expect(mara.get_by_test_id("image-node")).to_be_visible()
    mara.mouse.move(500, 400)
    mara.mouse.move(520, 420)
    expect(ada.get_by_test_id("remote-cursor")).to_contain_text("Mara")

    node.get_by_test_id("prompt").fill(PROMPT)
    node.get_by_test_id("generate").click()

    expect(mara.get_by_test_id("prompt")).to_have_value(PROMPT)
    expect(mara.get_by_test_id("progress")).to_be_visible()
    expect(mara.get_by_test_id("preview")).to_be_visible(timeout=20_000)
    for page in (ada, mara):
        expect(page.get_by_test_id("picture")).to_be_visible(timeout=20_000)
        page.screenshot(path=tmp_path / f"{'ada' if page is ada else 'mara'}.png")
    mara.get_by_test_id("picture").click()
    full = mara.get_by_test_id("lightbox").get_by_role("img")
    expect(full).to_be_visible()
    mara.wait_for_function("image => image.naturalWidth === 1024", arg=full.element_handle())
    mara.keyboard.press("Escape")
    expect(mara.get_by_test_id("lightbox")).to_have_count(0)
    ada.reload()
    expect(ada.get_by_test_id("picture")).to_be_visible()


def test_viewer_sees_the_run_and_cannot_start_one(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    with easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
        invited = client.post(f"/api/workflows/{workflow['id']}/invites", json={"role": "viewer", "name": "Vi"})
        page = open_page(browser, complaints, invited.json()["url"])
        page.goto(f"{easel.url}/w/{workflow['id']}")
        expect(page.get_by_test_id("image-node")).to_be_visible()
        expect(page.get_by_test_id("generate")).to_have_count(0)

        body = {
            "workflowId": workflow["id"],
            "nodeId": "fox",
            "provider": "local",
            "promptSpec": {"basePrompt": "a fox"},
        }
        assert client.post("/api/runs", json=body).status_code == 202

        expect(page.get_by_test_id("progress")).to_be_visible()
        expect(page.get_by_test_id("picture")).to_be_visible(timeout=20_000)


def test_largest_real_document_opens_in_the_page(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    if not FLOWS.is_dir():
        assert "CI" not in os.environ, "the shared documents must be there in CI"
        pytest.skip("the shared React Flow documents are not beside this checkout")
    document = json.loads((FLOWS / LARGEST).read_bytes())
    with easel.client() as client:
        workflow = create(client, **document)

    page = open_page(browser, complaints, easel.run("login-link"))
    page.goto(f"{easel.url}/w/{workflow['id']}")

    expect(page.locator(".react-flow__node")).to_have_count(len(workflow["nodes"]))
    expect(page.locator(".react-flow__edge")).to_have_count(len(workflow["edges"]))
