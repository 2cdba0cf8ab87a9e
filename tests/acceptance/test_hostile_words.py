"""Whatever people write into a canvas is words to everybody else: nothing runs, nothing breaks, nothing is fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import connect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, start, watch

pytestmark = pytest.mark.browser

RUNS = "window.hit = (window.hit || 0) + 1"
WORDS = (
    f"<script>{RUNS}</script>",
    f"<img src=x onerror='{RUNS}'>",
    f"<svg/onload={RUNS!r}>",
    f'"><iframe srcdoc="<script>parent.{RUNS}</script>">',
    f"javascript:{RUNS}",
    f"</style><script>{RUNS}</script>",
    f"{{{{constructor.constructor('{RUNS}')()}}}}",
    "data:text/html,<script>opener.hit=1</script>",
    "\u202egnp.exe\u2066 <b>bold</b>",
)
ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {"domAttributes": {"dangerouslySetInnerHTML": {"__html": WORDS[1]}}},
    {"domAttributes": {"onClick": RUNS, "onMouseEnter": RUNS, "children": "x", "ref": "x"}},
    {"style": f"background:url(javascript:{RUNS})"},
    {
        "style": {
            "position": "fixed",
            "inset": "0",
            "background": "url(https://elsewhere.example/spy.png)",
            "zIndex": 9999,
        }
    },
    {"className": {"toString": 1}},
    {"ariaLabel": {"an": "object"}, "ariaRole": ["x"], "zIndex": "x", "dragHandle": "[["},
    {"extent": "everywhere", "origin": 5, "handles": [{}], "sourcePosition": "up", "width": "wide"},
)
EDGES: tuple[dict[str, Any], ...] = (
    {"label": {"an": "object"}},
    {"label": WORDS[1], "labelStyle": "x", "labelBgPadding": 5},
    {"markerEnd": {"type": "x'); "}, "style": "x", "pathOptions": "x", "type": "nobody-knows"},
    {"domAttributes": {"dangerouslySetInnerHTML": {"__html": WORDS[1]}}},
)


def document() -> dict[str, Any]:
    texts = [
        {"label": word, "title": word, "prompt": word, "error": word, "status": "error", word[:40]: word}
        for word in WORDS
    ]
    nodes: list[dict[str, Any]] = [
        {"id": f"w{i}", "type": ("image_generation", "note", f"odd{i}")[i % 3], "data": data}
        for i, data in enumerate(texts)
    ]
    nodes += [{"id": f"a{i}", "data": {"label": f"Attributes {i}"}, **more} for i, more in enumerate(ATTRIBUTES)]
    for i, one in enumerate(nodes):
        one["position"] = {"x": 320 * (i % 5), "y": 320 * (i // 5)}
    edges = [{"id": f"e{i}", "source": f"w{i}", "target": f"a{i}", **more} for i, more in enumerate(EDGES)]
    return {"nodes": nodes, "edges": edges}


def nothing_ran(page: Page) -> None:
    assert page.evaluate("window.hit") is None


def test_nothing_of_what_others_wrote_runs(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    """R9"""
    with easel.client() as client:
        workflow = create(client, **document() | {"name": WORDS[1]})
        pictured = create(
            client, name=WORDS[0], nodes=[{"id": "fox", "position": {"x": 0, "y": 0}, "data": {}}], edges=[]
        )
        watch(client, start(client, pictured, "fox", basePrompt=WORDS[1]))
        body = {"userId": "hostile", "name": WORDS[1], "role": "editor"}
        token = client.post(f"/api/workflows/{workflow['id']}/tokens", json=body).json()["token"]
    page = open_page(browser, complaints, easel.run("login-link"))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    expect(page.get_by_text(WORDS[1]).first).to_be_visible()  # on the list of canvases
    nothing_ran(page)

    page.goto(f"{easel.url}/w/{workflow['id']}")
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{easel.url.replace('http', 'ws')}/ws/workflows/{workflow['id']}"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "hostile", "resume": None}))
        presence = {"cursor": {"x": 100, "y": 100}, "selection": ["w0", WORDS[2]], "editing": WORDS[3]}
        socket.send(json.dumps({"type": "presence", "set": presence}))
        nodes = page.locator(".react-flow__node")
        expect(nodes).to_have_count(len(WORDS) + len(ATTRIBUTES))
        expect(page.get_by_text(WORDS[1]).first).to_be_visible()
        for place in ("w0", "a0", "a1", "a3"):
            page.locator(f"[data-id={place}]").hover()
        page.mouse.move(5, 300)
        nothing_ran(page)
        assert page.locator("[data-id=a3]").evaluate("node => getComputedStyle(node).position") == "absolute"

    page.goto(f"{easel.url}/renders")
    expect(page.get_by_text(WORDS[1]).first).to_be_attached()
    nothing_ran(page)
