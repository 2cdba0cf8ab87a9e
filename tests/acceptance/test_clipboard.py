"""Copying, cutting, pasting, duplicating and grouping in real browsers, with the clipboard between canvases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page, saved
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import create, image_node

pytestmark = pytest.mark.browser

MAY_COPY = ["clipboard-read", "clipboard-write"]
GROUND = (1180, 400)


def grouped_flow() -> dict[str, Any]:
    """A prompt in a frame, wired to a picture beside it, which is wired to another."""
    return {
        "nodes": [
            {
                "id": "frame",
                "type": "group",
                "position": {"x": -400, "y": -60},
                "width": 340,
                "height": 220,
                "data": {"label": "Words"},
            },
            {
                "id": "words",
                "type": "prompt",
                "parentId": "frame",
                "position": {"x": 30, "y": 50},
                "data": {"prompt": "in the snow"},
            },
            image_node(),
            image_node("owl") | {"position": {"x": 340, "y": 0}},
        ],
        "edges": [
            {"id": "w1", "source": "words", "target": "fox"},
            {"id": "w2", "source": "fox", "target": "owl"},
        ],
    }


def at_canvas(page: Page, easel: RunningEasel, workflow_id: str) -> None:
    page.goto(f"{easel.url}/w/{workflow_id}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))


def copied(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate("navigator.clipboard.readText()"))
    return found


def test_nodes_go_from_canvas_to_canvas_with_their_wires(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    with easel.client() as client:
        one = create(client, name="From here", **grouped_flow())
        other = create(client, name="To there", nodes=[], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"), permissions=MAY_COPY)
    at_canvas(page, easel, one["id"])
    expect(page.locator(".react-flow__node")).to_have_count(4)
    page.screenshot(path=tmp_path / "before.png")

    page.keyboard.press("Control+a")
    expect(page.get_by_role("toolbar", name="4 nodes")).to_be_visible()
    page.screenshot(path=tmp_path / "arranging.png")
    page.keyboard.press("Control+c")

    assert {node["id"] for node in copied(page)["nodes"]} == {"frame", "words", "fox", "owl"}
    at_canvas(page, easel, other["id"])
    page.mouse.move(640, 420)
    page.keyboard.press("Control+v")
    expect(page.locator(".react-flow__node")).to_have_count(4)
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    page.screenshot(path=tmp_path / "pasted.png")
    saved(page)
    document = stored(easel, other["id"])
    ids = [node["id"] for node in document["nodes"]]
    assert not {"frame", "words", "fox", "owl"} & set(ids)
    assert document["nodes"][1]["parentId"] == ids[0]
    assert [(edge["source"], edge["target"]) for edge in document["edges"]] == [(ids[1], ids[2]), (ids[2], ids[3])]

    page.keyboard.press("Control+d")
    expect(page.locator(".react-flow__node")).to_have_count(8)
    page.keyboard.press("Control+x")
    expect(page.locator(".react-flow__node")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node")).to_have_count(8)
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node")).to_have_count(0)

    page.evaluate("navigator.clipboard.writeText('Ask Ada about the light')")
    page.keyboard.press("Control+v")
    expect(page.get_by_test_id("note-node").get_by_role("textbox")).to_have_value("Ask Ada about the light")
    page.context.close()


def test_two_hundred_nodes_are_pasted_in_one_step(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    nodes = [
        image_node(f"n{number}") | {"position": {"x": 320 * (number % 20), "y": 240 * (number // 20)}}
        for number in range(200)
    ]
    edges = [{"id": f"e{number}", "source": f"n{number}", "target": f"n{number + 1}"} for number in range(199)]
    with easel.client() as client:
        workflow = create(client, name="Many", nodes=[], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"), permissions=MAY_COPY, color_scheme="dark")
    at_canvas(page, easel, workflow["id"])
    page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps({"nodes": nodes, "edges": edges}))

    page.keyboard.press("Control+v")

    expect(page.locator(".react-flow__node")).to_have_count(200)
    expect(page.locator(".react-flow__edge")).to_have_count(199)
    saved(page)
    with easel.client() as client:
        log = client.get(f"/api/workflows/{workflow['id']}/ops").json()["items"]
    assert len(log[-1]["ops"]) == 399
    page.keyboard.press(".")
    page.screenshot(path=tmp_path / "many-dark.png")
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node")).to_have_count(0)
    saved(page)
    assert stored(easel, workflow["id"])["nodes"] == []
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".react-flow__node")).to_have_count(200)

    page.evaluate("navigator.clipboard.writeText(JSON.stringify({nodes: [" + _HUGE + "]}))")
    page.keyboard.press("Control+v")
    expect(page.get_by_text("Copy it in smaller pieces.")).to_be_visible()
    expect(page.locator(".react-flow__node")).to_have_count(200)
    page.context.close()


_HUGE = "{id: 'a', position: {x: 0, y: 0}, data: {text: 'x'.repeat(5000000)}}"


def test_nodes_are_lined_up_grouped_and_set_free(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    places = {"a": (0, 0), "b": (330, 130), "c": (700, 40)}
    nodes = [image_node(name) | {"position": {"x": x, "y": y}} for name, (x, y) in places.items()]
    with easel.client() as client:
        workflow = create(client, name="In order", nodes=nodes, edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    at_canvas(page, easel, workflow["id"])
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Align top edges").click()
    page.keyboard.press("Alt+Shift+h")
    saved(page)
    assert [node["position"] for node in stored(easel, workflow["id"])["nodes"]] == [
        {"x": 0, "y": 0},
        {"x": 350, "y": 0},
        {"x": 700, "y": 0},
    ]

    page.keyboard.press("Control+g")
    expect(page.locator(".react-flow__node-group")).to_have_count(1)
    saved(page)
    page.screenshot(path=tmp_path / "grouped.png")
    [group, *inside] = stored(easel, workflow["id"])["nodes"]
    assert [node["parentId"] for node in inside] == [group["id"]] * 3
    assert inside[1]["position"] == {"x": 350 - group["position"]["x"], "y": -group["position"]["y"]}

    page.mouse.click(*GROUND, button="right")
    page.screenshot(path=tmp_path / "ground-menu.png")
    page.get_by_role("menuitem", name="Select everything").click()
    page.locator(".react-flow__node-group .group__label").click(button="right")
    page.screenshot(path=tmp_path / "selection-menu.png")
    page.get_by_role("menuitem", name="Ungroup").click()
    expect(page.locator(".react-flow__node-group")).to_have_count(0)
    saved(page)
    assert [(node["id"], node["position"]["x"]) for node in stored(easel, workflow["id"])["nodes"]] == [
        ("a", 0),
        ("b", 350),
        ("c", 700),
    ]
    page.keyboard.press("Control+z")
    expect(page.locator(".react-flow__node-group")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    page.screenshot(path=tmp_path / "shortcuts.png")
    page.context.close()
