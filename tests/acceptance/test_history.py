"""The history of a canvas in the page: versions kept, looked at, gone back to, and back again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import create, image_node

pytestmark = pytest.mark.browser


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    """Two pictures and a wire in a version called “Two foxes”; one picture and a note by now."""
    owl = image_node("owl") | {"position": {"x": 360, "y": 0}}
    note = {"id": "note", "type": "note", "position": {"x": 0, "y": 300}, "data": {"text": "Later"}}
    with easel.client() as client:
        made = create(
            client, name="A wood", nodes=[image_node(), owl], edges=[{"id": "w", "source": "fox", "target": "owl"}]
        )
        url = f"/api/workflows/{made['id']}"
        assert client.post(f"{url}/versions", json={"name": "Two foxes"}).status_code == 201
        assert client.delete(f"{url}/nodes/owl").status_code == 204
        assert client.post(f"{url}/nodes", json=note).status_code == 201
    return made


def at_canvas(page: Page, easel: RunningEasel, workflow: dict[str, Any]) -> None:
    page.goto(f"{easel.url}/w/{workflow['id']}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))


def ids(document: dict[str, Any]) -> set[str]:
    return {node["id"] for node in document["nodes"]}


@SCHEMES
def test_version_is_looked_at_and_gone_back_to_by_keyboard_alone(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    """PG1, PG2"""
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    at_canvas(page, easel, workflow)
    nodes = page.locator(".stage .react-flow__node")
    expect(nodes).to_have_count(2)

    page.keyboard.press("h")
    panel = page.get_by_role("complementary", name="Version history")
    expect(panel.get_by_test_id("version")).to_have_count(1)
    page.screenshot(path=tmp_path / "list.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    preview = page.get_by_test_id("version-preview")
    expect(preview.get_by_role("status")).to_contain_text("1 node and 1 wire come back and 1 node goes away")
    expect(preview.locator(".react-flow__node")).to_have_count(2)
    expect(preview.locator(".preview__node--back")).to_have_count(1)
    expect(preview.get_by_role("textbox", name="Prompt").first).not_to_be_editable()
    expect(preview.get_by_test_id("generate")).to_have_count(0)
    for key in ("i", "?"):  # of the canvas, which is not there now
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.screenshot(path=tmp_path / "preview.png")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(preview).to_have_count(0)
    page.keyboard.press("Enter")
    preview.get_by_role("button", name="Restore").press("Enter")

    expect(preview).to_have_count(0)
    expect(nodes).to_have_count(2)
    assert ids(stored(easel, workflow["id"])) == {"fox", "owl"}
    expect(panel.get_by_test_id("version").first).to_contain_text("Before a restore")
    page.screenshot(path=tmp_path / "restored.png")
    page.get_by_role("button", name="Undo", exact=True).last.press("Enter")
    expect(page.get_by_test_id("note-node")).to_be_visible()
    assert ids(stored(easel, workflow["id"])) == {"fox", "note"}
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.context.close()


def test_versions_are_kept_named_and_deleted(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG3"""
    page = open_page(browser, complaints, easel.run("login-link"))
    at_canvas(page, easel, workflow)
    page.get_by_test_id("history").click()
    versions = page.get_by_test_id("version")
    expect(versions).to_have_count(1)

    page.get_by_role("textbox", name="Name of the version").fill("With a note")
    page.keyboard.press("Enter")
    expect(versions.first).to_contain_text("With a note")
    page.get_by_role("button", name="More about “With a note”").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("textbox", name="Name of the version").last.fill("With my note")
    page.keyboard.press("Enter")
    expect(versions.first).to_contain_text("With my note")
    page.get_by_role("button", name="More about “Two foxes”").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(versions).to_have_count(1)

    with easel.client() as client:
        kept = client.get(f"/api/workflows/{workflow['id']}/versions").json()["items"]
    assert [version["name"] for version in kept] == ["With my note"]
    page.context.close()


def test_viewer_looks_at_versions_and_changes_none(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG3"""
    with easel.client() as client:
        link = client.post(f"/api/workflows/{workflow['id']}/shares", json={"role": "viewer"}).json()
    page = open_page(browser, complaints, link["url"])
    expect(page.get_by_test_id("image-node")).to_be_visible()
    page.keyboard.press("h")
    page.get_by_test_id("version").get_by_role("button").click()
    preview = page.get_by_test_id("version-preview")
    expect(preview.get_by_test_id("image-node")).to_have_count(2)
    expect(preview.get_by_role("button", name="Restore")).to_have_count(0)
    expect(page.get_by_role("button", name="Keep a version")).to_have_count(0)
    preview.get_by_role("button", name="Back to the canvas").click()
    expect(page.locator(".stage").get_by_test_id("note-node")).to_be_visible()
    page.context.close()
