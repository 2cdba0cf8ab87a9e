"""Every document that real products have exported: it opens, moves under a hand, and is exported unharmed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page, saved
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import FLOWS, by_id, create
from tests.acceptance.test_wiring import VIEW_AT_REST

pytestmark = pytest.mark.browser

DOCUMENTS = sorted(path.name for path in FLOWS.glob("*.json") if path.name != "manifest.json") or ["none"]

SAMPLE = 3
"""One in so many is enough for every day."""
CASES = [each if n % SAMPLE == 0 else pytest.param(each, marks=pytest.mark.soak) for n, each in enumerate(DOCUMENTS)]

HAND_HOLD = """() => {
  for (const node of document.querySelectorAll(".stage .react-flow__node:not(.parent)")) {
    const head = node.querySelector(".card__head");
    if (head === null) continue;
    const { left, top, width, height } = head.getBoundingClientRect();
    const at = { id: node.dataset.id, x: left + width / 2, y: top + height / 2 };
    const hit = document.elementFromPoint(at.x, at.y);
    if (hit?.closest(".react-flow__node") === node) return at;
  }
}"""
"""A card that nothing lies over, and where to take hold of it."""


@pytest.fixture(scope="module")
def visit(easel: RunningEasel, browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """One page for all documents, and what it complained of."""
    complaints: list[str] = []
    page = open_page(browser, complaints, easel.run("login-link"), accept_downloads=True)
    yield page, complaints
    page.context.close()


def exported(page: Page) -> dict[str, Any]:
    with page.expect_download() as download:
        page.keyboard.press("e")
    content: dict[str, Any] = json.loads(Path(download.value.path()).read_text())
    return content


@pytest.mark.parametrize("name", CASES)
def test_document_of_another_product_opens_moves_and_is_exported_unharmed(
    easel: RunningEasel, visit: tuple[Page, list[str]], tmp_path: Path, name: str
) -> None:
    """PG13"""
    if not FLOWS.is_dir():
        assert "CI" not in os.environ, "the shared documents must be there in CI"
        pytest.skip("the shared React Flow documents are not beside this checkout")
    page, complaints = visit
    page.goto(easel.url)
    page.get_by_label("Import a JSON file").set_input_files(FLOWS / name)
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    workflow_id = page.url.rpartition("/")[2]
    before = stored(easel, workflow_id)
    expect(page.locator(".stage .react-flow__node")).to_have_count(len(before["nodes"]))
    expect(page.locator(".stage .react-flow__edge")).to_have_count(len(before["edges"]))
    page.evaluate(VIEW_AT_REST)
    page.screenshot(path=tmp_path / f"{name}.png")
    assert exported(page)["nodes"] == before["nodes"]

    held = page.evaluate(HAND_HOLD)
    page.mouse.move(held["x"], held["y"])
    page.mouse.down()
    page.mouse.move(held["x"] + 30, held["y"] + 20, steps=4)
    page.mouse.up()
    moved = page.locator(f".react-flow__node[data-id={json.dumps(held['id'])}]")
    expect(moved).to_be_visible()
    page.wait_for_function(
        "([id, { x, y }]) => { const { e, f } = new DOMMatrix(document.querySelector("
        "`.stage .react-flow__node[data-id=${JSON.stringify(id)}]`).style.transform); return e !== x || f !== y; }",
        arg=[held["id"], by_id(before["nodes"])[held["id"]]["position"]],
    )
    saved(page)

    after = exported(page)
    now = stored(easel, workflow_id)
    assert (after["nodes"], after["edges"]) == (now["nodes"], now["edges"])
    assert after["edges"] == before["edges"]
    old, new = by_id(before["nodes"]), by_id(after["nodes"])
    assert old[held["id"]]["position"] != new[held["id"]]["position"]
    for document in (old, new):
        document[held["id"]]["position"] = None
    assert new == old
    assert complaints == []


def test_a_node_of_another_product_with_a_name_of_ours_is_shown_as_what_it_is_and_not_written_over(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG38"""
    theirs = {"prompt": "{prompt}", "n": 3, "llms": [{"name": "GPT3.5"}], "vars": {}}
    words = {"id": "words", "type": "prompt", "position": {"x": 0, "y": 0}, "data": {"prompt": "in chalk"}}
    chain = {"id": "chain", "type": "prompt", "position": {"x": 0, "y": 250}, "data": theirs}
    image = {"id": "fox", "type": "image_generation", "position": {"x": 500, "y": 0}, "data": {"prompt": "a fox"}}
    edges = [{"id": f"{source}-fox", "source": source, "target": "fox"} for source in ("words", "chain")]
    with easel.client() as client:
        made = create(client, name="Names", nodes=[words, chain, image], edges=edges)
    page = open_page(browser, complaints, easel.run("login-link"))
    page.goto(f"{easel.url}/w/{made['id']}")

    expect(page.get_by_test_id("prompt-node")).to_have_count(1)
    card = page.locator('.react-flow__node[data-id="chain"]')
    expect(card.get_by_role("definition").filter(has_text="{prompt}")).to_be_visible()
    expect(card.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_test_id("image-node").get_by_text("With in chalk", exact=True)).to_be_visible()

    page.get_by_test_id("prompt-node").get_by_test_id("prompt").fill("in oil")
    expect(page.get_by_test_id("image-node").get_by_text("With in oil", exact=True)).to_be_visible()
    saved(page)
    assert by_id(stored(easel, made["id"])["nodes"])["chain"]["data"] == theirs
