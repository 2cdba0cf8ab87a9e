"""One person's tabs, in a real browser: locks, disk and sockets as they are there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node

pytestmark = pytest.mark.browser

SAVED = """
async () => {
  const request = indexedDB.open("easel", 1);
  const database = await new Promise(done => (request.onsuccess = () => done(request.result)));
  if (!database.objectStoreNames.contains("pushes")) return 0;
  const count = database.transaction("pushes").objectStore("pushes").count();
  return await new Promise(done => (count.onsuccess = () => (database.close(), done(count.result))));
}
"""


def hellos(page: Page) -> list[str]:
    """The client ids that a page will say hello with, in order."""
    said: list[str] = []

    def note(text: str | bytes) -> None:
        message = json.loads(text)
        if message["type"] == "hello":
            said.append(message["clientId"])

    page.on("websocket", lambda socket: socket.on("framesent", note))
    return said


def without_pushes(route: WebSocketRoute) -> None:
    """A connection on which no push arrives."""
    server = route.connect_to_server()
    route.on_message(lambda text: None if json.loads(text)["type"] == "push" else server.send(text))


def closing_with(code: int) -> Callable[[WebSocketRoute], None]:
    """A connection that the server closes at the first push."""

    def close(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            if json.loads(text)["type"] == "push":
                route.close(code=code, reason="")
            else:
                server.send(text)

        route.on_message(pass_on)

    return close


def pushed(easel: RunningEasel, workflow: dict[str, Any]) -> list[str]:
    """Whose pushes are in the log."""
    with easel.client() as client:
        log = client.get(f"/api/workflows/{workflow['id']}/ops", params={"since": workflow["seq"]}).json()
    return [transaction["by"]["clientId"] for transaction in log["items"]]


def live(page: Page) -> None:
    expect(page.get_by_test_id("connection")).to_have_text("Live")


def test_what_a_closed_tab_left_behind_is_taken_up_by_exactly_one_of_the_others(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    with easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
    first = open_page(browser, complaints, easel.run("login-link"))
    pages = [first.context.new_page() for _ in range(3)]
    said = [hellos(page) for page in pages]
    for page in pages:
        page.goto(f"{easel.url}/w/{workflow['id']}")
        live(page)
    assert len({client_id for each in said for client_id in each}) == 3
    closed, *others = pages
    closed.route_web_socket("**/ws/**", without_pushes)
    closed.reload()
    live(closed)
    closed.keyboard.press("i")
    expect(closed.get_by_test_id("image-node")).to_have_count(2)
    closed.wait_for_function(f"async () => await ({SAVED})() === 1")
    assert pushed(easel, workflow) == []
    orphan = said[0][-1] if len(said[0]) > 1 else None

    closed.close()
    for page in others:
        page.reload(wait_until="commit")

    for page in others:
        expect(page.get_by_test_id("image-node")).to_have_count(2)
        live(page)
        page.wait_for_function(f"async () => await ({SAVED})() === 0")
    authors = pushed(easel, workflow)
    assert len(authors) == 1
    assert orphan in {None, authors[0]}
    assert sum(authors[0] in each for each in said[1:]) == 1


@pytest.mark.parametrize(
    ("code", "title", "sentence"),
    [
        (4513, "Paused", "Reload the page to go on"),
        (4509, "Too large", "add it in smaller pieces"),
        (4500, "Page out of date", "what you changed is kept"),
    ],
)
def test_a_tab_that_is_sent_away_for_good_says_why_and_what_to_do(
    easel: RunningEasel, browser: Browser, complaints: list[str], code: int, title: str, sentence: str
) -> None:
    with easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    page.route_web_socket("**/ws/**", closing_with(code))
    page.goto(f"{easel.url}/w/{workflow['id']}")
    live(page)
    page.keyboard.press("i")

    pill = page.get_by_test_id("connection")
    expect(pill).to_contain_text(title)
    expect(pill).to_contain_text(sentence)
    expect(pill).to_have_attribute("data-state", "stopped")
    expect(page.get_by_test_id("image-node")).to_have_count(2)
    expect(page.get_by_role("link", name="Reload")).to_be_visible()


def standing(transform: str) -> re.Pattern[str]:
    return re.compile(re.escape(transform))


def test_a_viewer_in_the_middle_of_a_drag_lets_go_and_is_told(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    with easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
        url = f"/api/workflows/{workflow['id']}"
        invited = client.post(f"{url}/invites", json={"role": "editor", "name": "Vi"})
        page = open_page(browser, complaints, invited.json()["url"])
        page.goto(f"{easel.url}/w/{workflow['id']}")
        live(page)
        account = page.request.get(f"{easel.url}/api/me").json()["id"]
        node = page.locator(".react-flow__node")
        before = node.evaluate("node => node.style.transform")
        page.locator(".card__title").hover()  # waits until it stands still
        box = page.locator(".card__title").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 105, box["y"] + 105, steps=5)
        expect(node).not_to_have_attribute("style", standing(before))

        assert client.put(f"{url}/members/{account}", json={"role": "viewer"}).is_success

        expect(page.get_by_text("You can only look at this canvas now")).to_be_visible()
        page.mouse.move(box["x"] + 205, box["y"] + 205, steps=5)
        page.mouse.up()
        expect(node).to_have_attribute("style", standing(before))
        assert client.get(url).json()["nodes"] == workflow["nodes"]


def test_a_large_canvas_draws_what_is_in_view(easel: RunningEasel, browser: Browser, complaints: list[str]) -> None:
    count = 2_000
    nodes = [
        {"id": f"n{at}", "position": {"x": 9_000 + at % 40 * 320, "y": at // 40 * 400}, "data": {"label": f"{at}"}}
        for at in range(count)
    ]
    edges = [{"id": f"e{at}", "source": f"n{at}", "target": f"n{at + 1}"} for at in range(count - 1)]
    with easel.client() as client:
        workflow = create(client, nodes=nodes, edges=edges)
    page = open_page(browser, complaints, easel.run("login-link"))

    page.goto(f"{easel.url}/w/{workflow['id']}")

    expect(page.locator(".react-flow__edge").nth(20)).to_be_attached()
    expect(page.locator('.react-flow__node[style*="visibility: hidden"]')).to_have_count(0)
    assert 20 < page.locator(".react-flow__node").count() < count / 2
