"""Wires between nodes: what goes through a port, why a wire is refused, and the output where pictures end up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import create, image_node, start, watch

pytestmark = pytest.mark.browser

VIEW_AT_REST = """() => new Promise(done => {
  const view = document.querySelector(".stage .react-flow__viewport");
  let last = "", same = 0;
  const look = () => {
    same = view.style.transform === last ? same + 1 : 0;
    last = view.style.transform;
    same > 10 ? done(true) : requestAnimationFrame(look);
  };
  look();
})"""


def node(node_id: str, kind: str, x: int, y: int, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "position": {"x": x, "y": y}, "data": data}


def a_flow() -> dict[str, Any]:
    return {
        "nodes": [
            node("words", "prompt", -700, 0, prompt="in the snow"),
            image_node() | {"position": {"x": -320, "y": 0}},
            node("out", "image_output", 80, 0),
            node("remark", "note", -700, 240, text="Ask Ada"),
            node("theirs", "customNode", 80, 300, label="Theirs"),
        ],
        "edges": [],
    }


def canvas_of(page: Page, easel: RunningEasel, workflow: dict[str, Any]) -> None:
    page.goto(f"{easel.url}/w/{workflow['id']}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    expect(page.locator(".react-flow__node")).to_have_count(len(workflow["nodes"]))
    page.evaluate(VIEW_AT_REST)


def middle_of(part: Locator) -> tuple[float, float]:
    box = part.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pull(page: Page, port: Locator, onto: Locator) -> None:
    """From a port onto the middle of a card, still held."""
    page.mouse.move(*middle_of(port))
    page.mouse.down()
    page.mouse.move(*middle_of(onto), steps=8)


@SCHEMES
def test_refused_wire_says_why_at_the_pointer(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG4, PG5"""
    with easel.client() as client:
        workflow = create(client, name="Wires", **a_flow())
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    canvas_of(page, easel, workflow)
    prompt, image, output = (page.get_by_test_id(f"{kind}-node") for kind in ("prompt", "image", "output"))
    theirs = page.locator(".react-flow__node-customNode")
    refused = page.locator(".refusal")

    pull(page, prompt.get_by_label("Output", exact=True), output)
    expect(refused).to_have_text(re.compile("This takes pictures, and words come out of the other"))
    page.screenshot(path=tmp_path / "refused.png")
    page.mouse.move(*middle_of(output.get_by_label("Input", exact=True)), steps=4)
    expect(refused).to_be_visible()
    page.mouse.up()
    expect(page.locator(".react-flow__edge")).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text("This takes pictures, and words come out of the other")
    page.locator(".toast").get_by_role("button", name="Dismiss").click()
    pull(page, prompt.get_by_label("Output", exact=True), output)
    expect(refused).to_be_visible()
    page.mouse.move(*middle_of(image.locator(".card__head")), steps=8)
    expect(refused).to_have_count(0)
    page.mouse.up()  # anywhere on the card
    expect(page.locator(".react-flow__edge")).to_have_count(1)

    pull(page, image.get_by_label("Output", exact=True), prompt)
    expect(refused).to_have_text("A prompt takes nothing in: write its words into it.")
    page.mouse.up()
    expect(page.get_by_text("A prompt takes nothing in: write its words into it.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Look for a node")).to_have_count(0)
    expect(page.get_by_test_id("note-node").get_by_label("Output", exact=True)).to_have_count(0)

    pull(page, image.get_by_label("Output", exact=True), theirs)
    expect(refused).to_have_count(0)
    page.mouse.up()
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    saved(page)
    edges = stored(easel, workflow["id"])["edges"]
    assert {(edge["source"], edge["target"]) for edge in edges} == {("words", "fox"), ("fox", "theirs")}
    page.context.close()


def test_output_collects_the_pictures_that_are_wired_into_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """PG6"""
    owl = image_node("owl") | {"position": {"x": -320, "y": 400}}
    with easel.client() as client:
        flow = a_flow()
        workflow = create(client, name="Results", nodes=[*flow["nodes"], owl], edges=[])
        watch(client, start(client, workflow, "fox", basePrompt="a fox", size="512x512", seed=3))
    page = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(page, easel, workflow)
    output = page.get_by_test_id("output-node")
    expect(output).to_contain_text("Wire pictures in")

    for source in ("fox", "owl"):
        card = page.locator(f'.react-flow__node[data-id="{source}"]')
        pull(page, card.get_by_label("Output", exact=True), output)
        page.mouse.up()
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    expect(output).to_contain_text("1 of 2")
    expect(output).to_contain_text("No picture yet")
    with easel.client() as client:
        watch(client, start(client, workflow, "owl", basePrompt="an owl", size="512x512", seed=4))
    expect(output.get_by_test_id("result")).to_have_count(2)
    expect(output).to_contain_text("2 pictures")
    page.screenshot(path=tmp_path / "collected.png")
    output.get_by_role("button", name="Open picture: a fox").first.click()
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    page.context.close()
