"""Easel as its users have it: `easel up` in an empty folder, nothing of it mocked."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.embedded.datadir import State, read_state

ADMIN_TOKEN = "acceptance-tests-admin-token"
OURS = (sys.executable, "-m", "app.cli")
SCHEMES = pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.soak)])
"""A journey looks otherwise in the dark and goes the same way; axe-core looks at both each time."""
expect.set_options(timeout=15_000)  # two cores, and two tests at once
_READY = re.compile(r"Easel is ready: (?P<url>http://127\.0\.0\.1:\d+)/login\?token=(?P<token>\S+)\n")


def quiet_port() -> int:
    """A free one below those that the system hands out, so that it is free still when somebody comes to use it."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class RunningEasel:
    """One `easel up`. Its output is kept in `said`; pages of `app_origin` may use it.

    `program`: the `easel` of another installation.
    """

    def __init__(self, data: Path, *, program: Sequence[str | Path] = OURS, **settings: str) -> None:
        self._program = [str(word) for word in program]
        self.data = data
        self.app_port = quiet_port()
        self.app_origin = f"http://127.0.0.1:{self.app_port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
        own = {
            "EASEL_DATA_DIR": str(data),
            "EASEL_PORT": "0",
            "EASEL_ADMIN_TOKEN": ADMIN_TOKEN,
            "EASEL_ALLOWED_ORIGINS": self.app_origin,
            "EASEL_LEASE_SECONDS": "2",
        }
        self._environment = kept | own | settings
        self.process = subprocess.Popen(
            [*self._program, "up"],
            env=self._environment,
            cwd=data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.said: list[str] = []
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            self.said.append(line)
            if (ready := _READY.fullmatch(line)) is not None:
                break
        watchdog.cancel()
        assert ready is not None, "".join(self.said)
        self.url, self.login_url = ready["url"], line.removeprefix("Easel is ready: ").strip()
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.said.append(line)
                self._heard.notify_all()

    def wait_for(self, text: str, *, after: int) -> None:
        """Until a line holds `text`; `after`: how many lines to pass over."""
        with self._heard:
            assert self._heard.wait_for(lambda: any(text in line for line in self.said[after:]), timeout=30), text

    def state(self) -> State:
        state = read_state(self.data)
        assert state is not None
        return state

    def run(self, *arguments: str) -> str:
        """Another `easel` command beside it; answers what it prints."""
        command = [*self._program, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def client(self, token: str = ADMIN_TOKEN) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def easel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEasel]:
    """One for all tests that leave it as they found it."""
    running = RunningEasel(tmp_path_factory.mktemp("easel"))
    yield running
    running.stop()
    assert "Traceback" not in "".join(running.said)


@pytest.fixture
def own_easel(tmp_path: Path) -> Iterator[RunningEasel]:
    """One that the test may hurt."""
    running = RunningEasel(tmp_path / "data")
    yield running
    running.stop()


# The page

CHROMIUM = [  # nothing but the page may use the network
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # while it is open, no other test of its process can run an event loop
def browser() -> Iterator[Browser]:
    path = os.environ.get("EASEL_TEST_BROWSER") or None
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the pages said to the console. A page that works says nothing."""
    said: list[str] = []
    yield said
    assert said == []


def open_page(browser: Browser, complaints: list[str], link: str, **options: Any) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}, **options).new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(link)
    return page


def saved(page: Page) -> None:
    """Until the server has everything that was done on this page."""
    pill = page.get_by_test_id("connection")
    expect(pill).to_have_text("Live")
    expect(pill).to_have_attribute("data-pending", "0")
