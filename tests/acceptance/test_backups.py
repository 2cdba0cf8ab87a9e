"""A backup of what `easel up` runs, put back where nothing is left, with a page open all the time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.embedded.datadir import read_state
from tests.acceptance.conftest import RunningEasel, open_page, quiet_port
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.acceptance.test_tabs import live
from tests.app.test_cli import easel as command

pytestmark = pytest.mark.browser


def test_a_page_that_is_ahead_of_a_backup_takes_it_and_keeps_what_was_never_stored(
    browser: Browser, tmp_path: Path
) -> None:
    """BK1, BK6, BK9"""
    data, copy, port = tmp_path / "data", tmp_path / "copy", str(quiet_port())
    running = RunningEasel(data, EASEL_PORT=port, EASEL_LOCAL_PACE_SECONDS="0")
    try:
        with running.client() as client:
            workflow = create(client, nodes=[image_node("fox"), image_node("owl") | {"position": {"x": 400, "y": 0}}])
            watch(client, start(client, workflow, "fox"))
            page = open_page(browser, [], running.login_url)
            page.goto(f"{running.url}/w/{workflow['id']}")
            live(page)
            page.evaluate("window.isTheSame = true")
            running.run("backup", str(copy))
            client.delete(f"/api/workflows/{workflow['id']}/nodes/owl").raise_for_status()
            expect(page.locator(".react-flow__node")).to_have_count(1)
            picture = client.get(f"/api/workflows/{workflow['id']}").json()["nodes"][0]["data"]["imageUrl"]
            content = client.get(picture).content
    finally:
        running.stop()
    expect(page.get_by_test_id("connection")).not_to_have_text("Live")
    page.locator(".react-flow__pane").click(position={"x": 20, "y": 400})
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+d")
    expect(page.locator(".react-flow__node")).to_have_count(2)

    shutil.rmtree(data)
    done = command("restore", str(copy), EASEL_DATA_DIR=str(data))
    assert done.returncode == 0, done.stderr
    assert read_state(data) is None, "what was started for the while has ended"
    running = RunningEasel(data, EASEL_PORT=port)
    try:
        # It has tried for a while by now, and waits longer between two tries.
        expect(page.get_by_test_id("connection")).to_have_text("Live", timeout=30_000)
        expect(page.locator(".react-flow__node")).to_have_count(3)  # fox, owl again, and the fox's late double
        assert page.evaluate("window.isTheSame")
        with running.client() as client:
            assert len(client.get(f"/api/workflows/{workflow['id']}").json()["nodes"]) == 3
            assert client.get(picture).content == content
            assert [run["status"] for run in client.get("/api/runs").json()["items"]] == ["completed"]
    finally:
        running.stop()
