"""What a day at a canvas brings: a lost connection, others who write over one, much to paste, no mouse at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.acceptance.conftest import SCHEMES, RunningEasel, open_page, saved
from tests.acceptance.test_accessibility import findings
from tests.acceptance.test_adding import stored
from tests.acceptance.test_first_light import by_id, create, image_node
from tests.acceptance.test_wiring import VIEW_AT_REST, canvas_of

pytestmark = pytest.mark.browser


class Wire:
    """The way from a page's sockets to the server, which can be cut."""

    def __init__(self, page: Page) -> None:
        self.is_cut = False
        self._routes: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/**", self._take)

    def _take(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            route.close(code=1001, reason="")
            return
        self._routes.append(route)
        route.connect_to_server()

    def cut(self) -> None:
        self.is_cut = True
        for route in self._routes:
            route.close(code=1001, reason="")
        self._routes.clear()


def card(page: Page, node_id: str) -> Any:
    return page.locator(f'.stage .react-flow__node[data-id="{node_id}"]')


def write(page: Page, node_id: str, text: str) -> None:
    field = card(page, node_id).get_by_test_id("prompt")
    field.fill(text)
    field.blur()


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    owl = image_node("owl") | {"position": {"x": 360, "y": 0}}
    with easel.client() as client:
        return create(client, name="A day", nodes=[image_node(), owl], edges=[])


def mara_at(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], **options: Any
) -> Page:
    with easel.client() as client:
        invites = f"/api/workflows/{workflow['id']}/invites"
        invited = client.post(invites, json={"role": "editor", "name": "Mara"}).json()
    page = open_page(browser, complaints, invited["url"], **options)
    canvas_of(page, easel, workflow)
    return page


@SCHEMES
def test_twenty_seconds_without_a_connection_lose_nobodys_work(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path, scheme: str
) -> None:
    """PG10"""
    ada = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    ada.clock.install()
    wire = Wire(ada)
    canvas_of(ada, easel, workflow)
    mara = mara_at(easel, browser, complaints, workflow)

    wire.cut()
    expect(ada.get_by_test_id("connection")).to_have_text("Reconnecting…")
    write(ada, "fox", "a fox by the sea")
    ada.keyboard.press("i")
    expect(ada.get_by_test_id("image-node")).to_have_count(3)
    expect(ada.get_by_test_id("connection")).to_contain_text("2 changes waiting")
    ada.screenshot(path=tmp_path / "offline.png")
    write(mara, "owl", "an owl at night")
    mara.keyboard.press("u")
    expect(mara.get_by_test_id("upload-node")).to_have_count(1)
    saved(mara)
    ada.clock.fast_forward(20_000)
    expect(ada.get_by_test_id("connection")).to_contain_text("2 changes waiting")

    wire.is_cut = False
    ada.clock.fast_forward(60_000)  # past the longest pause between two tries
    saved(ada)
    for page in (ada, mara):
        expect(card(page, "fox").get_by_test_id("prompt")).to_have_value("a fox by the sea")
        expect(card(page, "owl").get_by_test_id("prompt")).to_have_value("an owl at night")
        expect(page.locator(".stage .react-flow__node")).to_have_count(4)
    document = by_id(stored(easel, workflow["id"])["nodes"])
    assert len(document) == 4
    assert document["fox"]["data"]["prompt"] == "a fox by the sea"
    assert document["owl"]["data"]["prompt"] == "an owl at night"
    for page in (ada, mara):
        page.context.close()


def test_undo_takes_back_ones_own_work_and_spares_what_another_wrote_over_it(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG9"""
    ada = open_page(browser, complaints, easel.run("login-link"))
    canvas_of(ada, easel, workflow)
    mara = mara_at(easel, browser, complaints, workflow)
    write(ada, "owl", "an owl of mine")
    saved(ada)
    write(ada, "fox", "a fox of mine")
    saved(ada)
    expect(card(mara, "fox").get_by_test_id("prompt")).to_have_value("a fox of mine")
    write(mara, "fox", "a fox of Mara's")
    expect(card(ada, "fox").get_by_test_id("prompt")).to_have_value("a fox of Mara's")

    ada.keyboard.press("Control+z")

    for page in (ada, mara):
        expect(card(page, "owl").get_by_test_id("prompt")).to_have_value("a fox")
        expect(card(page, "fox").get_by_test_id("prompt")).to_have_value("a fox of Mara's")
    ada.keyboard.press("Control+Shift+z")
    expect(card(mara, "owl").get_by_test_id("prompt")).to_have_value("an owl of mine")
    write(mara, "owl", "an owl of Mara's")
    expect(card(ada, "owl").get_by_test_id("prompt")).to_have_value("an owl of Mara's")
    ada.keyboard.press("Control+z")
    expect(ada.locator(".toast")).to_contain_text("Others have changed that since")
    expect(card(ada, "owl").get_by_test_id("prompt")).to_have_value("an owl of Mara's")
    for page in (ada, mara):
        page.context.close()


def test_two_hundred_nodes_are_pasted_in_one_step(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]
) -> None:
    """PG14"""
    row = range(200)
    nodes = [image_node(f"n{n}") | {"position": {"x": n % 20 * 320, "y": n // 20 * 260}} for n in row]
    edges = [{"id": f"w{n}", "source": f"n{n}", "target": f"n{n + 1}"} for n in row[:-1]]
    ada = open_page(browser, complaints, easel.run("login-link"), permissions=["clipboard-read", "clipboard-write"])
    canvas_of(ada, easel, workflow)
    mara = mara_at(easel, browser, complaints, workflow)

    ada.evaluate("text => navigator.clipboard.writeText(text)", json.dumps({"nodes": nodes, "edges": edges}))
    ada.mouse.move(640, 420)
    ada.keyboard.press("Control+v")

    for page in (ada, mara):
        expect(page.locator(".stage .react-flow__node")).to_have_count(202, timeout=20_000)
        expect(page.locator(".stage .react-flow__edge")).to_have_count(199, timeout=20_000)
    saved(ada)
    document = stored(easel, workflow["id"])
    assert (len(document["nodes"]), len(document["edges"])) == (202, 199)
    assert document["seq"] == workflow["seq"] + 1
    ada.keyboard.press("Control+z")
    for page in (ada, mara):
        expect(page.locator(".stage .react-flow__node")).to_have_count(2, timeout=20_000)
    for page in (ada, mara):
        page.context.close()


@SCHEMES
def test_keyboard_alone_makes_a_canvas_and_a_picture(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG15"""
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme=scheme)
    new = page.get_by_test_id("new-workflow")
    expect(new).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if new.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("connection")).to_have_text("Live")

    page.keyboard.press("Space")
    page.keyboard.type("prompt")
    page.keyboard.press("Enter")
    prompt = page.get_by_test_id("prompt-node")
    expect(prompt.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("at dawn")
    page.keyboard.press("Escape")
    page.keyboard.press("l")  # something new at the end of a wire
    page.keyboard.type("image")
    page.keyboard.press("Enter")
    image = page.get_by_test_id("image-node")
    expect(image).to_be_visible()
    expect(page.locator(".react-flow__edge")).to_have_count(1)

    field = image.get_by_test_id("prompt")
    expect(field).to_be_focused()
    page.screenshot(path=tmp_path / "focus.png")
    page.keyboard.type("a heron in the reeds")
    page.keyboard.press("Control+Enter")
    expect(image.get_by_test_id("picture")).to_be_visible(timeout=20_000)
    page.keyboard.press("Shift+Tab")
    expect(image.get_by_role("textbox", name="What should be different?")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(image.get_by_role("button", name="Open picture: a heron in the reeds")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lightbox")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    page.context.close()


def test_editor_whose_link_is_revoked_while_writing_is_told_and_keeps_nothing_open(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    """PG11"""
    shares = f"/api/workflows/{workflow['id']}/shares"
    with easel.client() as client:
        link = client.post(shares, json={"role": "editor"}).json()
    guest = open_page(browser, complaints, link["url"])
    expect(guest.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    write(guest, "fox", "a fox in the rain")
    saved(guest)
    guest.evaluate(VIEW_AT_REST)
    card(guest, "owl").get_by_test_id("prompt").focus()

    with easel.client() as client:
        assert client.delete(f"{shares}/{link['id']}").status_code == 204
    expect(guest.get_by_role("heading", name="You no longer have access")).to_be_visible()
    guest.screenshot(path=tmp_path / "put-out.png")

    expect(guest.get_by_test_id("image-node")).to_have_count(0)
    assert by_id(stored(easel, workflow["id"])["nodes"])["fox"]["data"]["prompt"] == "a fox in the rain"
    guest.context.close()


@pytest.fixture
def slow_easel(tmp_path: Path) -> Iterator[RunningEasel]:
    """One whose pictures take so long that people come and go meanwhile."""
    running = RunningEasel(tmp_path / "data", EASEL_LOCAL_PACE_SECONDS="12")
    yield running
    running.stop()


@SCHEMES
def test_who_joins_or_reloads_in_the_middle_of_a_run_sees_its_progress_and_preview(
    slow_easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG20"""
    with slow_easel.client() as client:
        workflow = create(client, name="Under way", nodes=[image_node()], edges=[])
    ada = open_page(browser, complaints, slow_easel.run("login-link"), color_scheme=scheme)
    canvas_of(ada, slow_easel, workflow)
    ada.get_by_test_id("generate").click()
    expect(ada.get_by_test_id("preview")).to_be_visible(timeout=20_000)

    mara = mara_at(slow_easel, browser, complaints, workflow, color_scheme=scheme)
    ada.reload()
    for page in (mara, ada):
        expect(page.get_by_test_id("progress")).to_be_visible()
        expect(page.get_by_test_id("preview")).to_be_visible()
        expect(page.get_by_test_id("picture")).to_have_count(0)  # it is not finished yet
    mara.screenshot(path=tmp_path / "under-way.png")
    ada.get_by_role("button", name="Cancel").click()
    for page in (mara, ada):
        expect(page.get_by_test_id("progress")).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)  # somebody wanted it
        expect(page.get_by_test_id("generate")).to_be_enabled()
        expect(page.get_by_test_id("prompt")).to_have_value("a fox")
    mara.screenshot(path=tmp_path / "cancelled.png")
    for page in (mara, ada):
        page.context.close()


@pytest.fixture
def refusing_easel(tmp_path: Path) -> Iterator[RunningEasel]:
    """One whose second provider does not take the key it was given."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}).encode()
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    provider = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=provider.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{provider.server_port}/v1"
    running = RunningEasel(tmp_path / "data", OPENAI_API_KEY="wrong", OPENAI_BASE_URL=address)
    yield running
    running.stop()
    provider.shutdown()
    provider.server_close()


@SCHEMES
def test_provider_that_fails_is_explained_to_everybody_and_another_one_draws(
    refusing_easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path, scheme: str
) -> None:
    """PG23"""
    fox = image_node()
    fox["data"] |= {"provider": "openai", "model": "gpt-image-2"}
    with refusing_easel.client() as client:
        workflow = create(client, name="Refused", nodes=[fox], edges=[])
    ada = open_page(browser, complaints, refusing_easel.run("login-link"), color_scheme=scheme)
    canvas_of(ada, refusing_easel, workflow)
    mara = mara_at(refusing_easel, browser, complaints, workflow, color_scheme=scheme)

    ada.get_by_test_id("generate").click()
    for page in (ada, mara):
        expect(card(page, "fox").get_by_role("alert")).to_contain_text("choose another model", timeout=20_000)
        expect(card(page, "fox").get_by_role("button", name="Retry")).to_be_enabled()
        assert findings(page) == []
    ada.screenshot(path=tmp_path / "failed.png")
    card(ada, "fox").get_by_label("Model", exact=True).select_option(value="local studio-1")
    ada.get_by_test_id("generate").click()
    for page in (ada, mara):
        expect(page.get_by_test_id("picture")).to_be_visible(timeout=20_000)
        expect(card(page, "fox").get_by_role("alert")).to_have_count(0)
        page.context.close()
