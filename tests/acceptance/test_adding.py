"""Putting nodes on a canvas: looked for with the keyboard, at the pointer, at the end of a wire."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page, saved
from tests.acceptance.test_first_light import create, image_node, watch

pytestmark = pytest.mark.browser

IN_THE_MIDDLE = """() => {
  const { left, right } = document.querySelector("[data-testid=image-node]").getBoundingClientRect();
  return Math.abs(left + right - window.innerWidth) < 1;
}"""


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(client, name="A harbour", nodes=[image_node()], edges=[])


def canvas_of(easel: RunningEasel, browser: Browser, complaints: list[str], workflow_id: str, **options: Any) -> Page:
    page = open_page(browser, complaints, easel.run("login-link"), **options)
    page.goto(f"{easel.url}/w/{workflow_id}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    expect(page.get_by_test_id("image-node")).to_be_visible()
    page.wait_for_function(IN_THE_MIDDLE)  # the view has come to rest
    return page


def stored(easel: RunningEasel, workflow_id: str) -> dict[str, Any]:
    with easel.client() as client:
        document: dict[str, Any] = client.get(f"/api/workflows/{workflow_id}").json()
    return document


def test_keyboard_alone_adds_a_node(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    page = canvas_of(easel, browser, complaints, workflow["id"])

    page.keyboard.press("Space")
    search = page.get_by_role("combobox", name="Look for a node")
    expect(search).to_be_focused()
    page.screenshot(path=tmp_path / "search.png")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox").get_by_role("option", selected=True)).to_contain_text("Prompt")
    page.keyboard.type("remark")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")

    note = page.get_by_test_id("note-node")
    expect(note).to_be_visible()
    expect(search).to_have_count(0)
    note.get_by_role("textbox", name="Note").fill("Ask Ada about the light")
    note.get_by_role("textbox", name="Note").blur()
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    page.keyboard.press("Space")
    page.keyboard.type("qqq")
    expect(page.get_by_text("Nothing is called that.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).to_have_count(0)
    saved(page)
    [added] = [node for node in stored(easel, workflow["id"])["nodes"] if node["type"] == "note"]
    assert added["data"] == {"text": "Ask Ada about the light"}


def test_wire_that_is_let_go_asks_for_what_belongs_at_its_end(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    """PG5: What a prompt node says goes into the picture of the node it is wired to."""
    page = canvas_of(easel, browser, complaints, workflow["id"], color_scheme="dark")
    image = page.get_by_test_id("image-node")
    port = image.get_by_label("Input", exact=True)
    port.hover()
    place = port.bounding_box()
    assert place is not None
    page.mouse.down()
    page.mouse.move(place["x"] - 120, place["y"] + 60, steps=5)
    page.mouse.up()
    page.screenshot(path=tmp_path / "asked.png")
    page.get_by_role("listbox").get_by_role("option").filter(has_text="Words for every image").click()

    prompt = page.get_by_test_id("prompt-node")
    expect(prompt).to_be_visible()
    prompt.get_by_role("textbox", name="Prompt").fill("in a storm")
    prompt.get_by_role("textbox", name="Prompt").blur()
    expect(image.get_by_text("in a storm")).to_be_visible()
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    page.screenshot(path=tmp_path / "wired.png")
    image.get_by_test_id("generate").click()
    expect(image.get_by_role("button", name="Cancel")).to_be_visible()
    document = stored(easel, workflow["id"])
    [edge] = document["edges"]
    assert edge["target"] == "fox"
    [job_id] = [node["data"]["jobId"] for node in document["nodes"] if node["id"] == "fox"]
    with easel.client() as client:
        watch(client, job_id)
        [render] = client.get("/api/renders", params={"workflowId": workflow["id"]}).json()["items"]
    assert render["origin"]["prompt"] == "in a storm, a fox"
    page.get_by_test_id("undo").click()
    page.mouse.dblclick(30, 400)
    expect(page.get_by_role("combobox", name="Look for a node")).to_be_focused()
    page.keyboard.press("Escape")
