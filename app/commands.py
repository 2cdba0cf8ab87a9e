"""The programs that `easel up` runs beside its databases, and what keeps each of them alive."""

import contextlib
import http.client
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from app.embedded.errors import StartError
from app.embedded.process import has_ended_within, kill_group, spawn

FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 5.0
STEADY_S = 30  # whoever lived this long has not died of what it died of before
ANSWER_TIMEOUT_S = 2

log = structlog.get_logger()


class Service(Protocol):
    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> object: ...
    def is_alive(self) -> bool: ...


class Child:
    """A program that prints to our own terminal."""

    def __init__(self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._argv = argv
        self._environment = environment

    def start(self) -> None:
        if self.process is not None:
            kill_group(self.process)  # what it may have started itself
        # Killed, not asked: without a supervisor nobody would be there to insist.
        self.process = spawn(self._argv, env=self._environment, on_parent_death=signal.SIGKILL)

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def wait(self, timeout_s: float) -> None:
        if self.process is not None:
            has_ended_within(self.process, timeout_s)

    def kill(self) -> None:
        if self.process is not None:
            kill_group(self.process)

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def has_ended(self) -> bool:
        return not self.is_alive()


class Command(Child):
    """`easel serve`, which answers at `url`, or `easel worker`, which drains."""

    def __init__(self, name: str, word: str, environment: Mapping[str, str], url: str | None = None) -> None:
        script = Path(sysconfig.get_path("scripts")) / "easel"
        argv = [sys.executable, *([script] if script.exists() else ["-m", "app.cli"]), word]
        super().__init__(name, argv, environment)
        self.url = url
        self._is_asked = False

    @property
    def drains(self) -> bool:
        return self.url is None

    def start(self) -> None:
        self._is_asked = False
        super().start()

    def ask_to_end(self) -> None:
        """A worker once: of its second signal it takes leave to let go of an order that is being paid for."""
        if not (self.drains and self._is_asked):
            super().ask_to_end()
        self._is_asked = True

    def hurry(self) -> None:
        """A second signal: a server that is leaving ends at once. Of a worker it would ask to let go of paid orders."""
        if not self.drains:
            self.ask_to_end()

    def is_ready(self) -> bool:
        """Whether it takes traffic. A worker does as soon as it lives."""
        return self.is_alive() and (self.url is None or asked(f"{self.url}/health/ready") is not None)


class Keeper:
    """Starts one service again when it ends, later each time that it ends soon."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.deaths = 0
        self.is_paused = False
        """While somebody else ends it and starts it again."""
        self._delay_s = FIRST_DELAY_S
        self._started_at = time.monotonic()
        self._start_at: float | None = None

    def tick(self, now: float) -> bool:
        """True when the service has just been started again."""
        if self.is_paused:
            return False
        if self._start_at is None:
            if not self.service.is_alive():
                self._plan_start(now)
            return False
        if now < self._start_at:
            return False
        self._start_at, self._started_at = None, now
        try:
            self.service.start()
        except StartError as error:
            log.error("service_not_started", service=self.service.name, reason=str(error))  # noqa: TRY400 - no trace
            return False
        return True

    def resume(self) -> None:
        """It has just been started by whoever paused us."""
        self.is_paused = False
        self._start_at, self._started_at = None, time.monotonic()

    def _plan_start(self, now: float) -> None:
        if now - self._started_at > STEADY_S:
            self._delay_s = FIRST_DELAY_S
        self.deaths += 1
        code = self.service.process.returncode if self.service.process else None
        log.warning("service_ended", service=self.service.name, exit_code=code, starting_again_in_s=self._delay_s)
        self._start_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)


def asked(url: str) -> bytes | None:
    """What a server on this machine answers with 200; None for anything else."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_TIMEOUT_S)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", place.path)
        answer = connection.getresponse()
        body = answer.read()
        return body if answer.status == http.client.OK else None
    return None
