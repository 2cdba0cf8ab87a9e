"""What keeps the programs of `easel up` alive, and how they are asked to end."""

from __future__ import annotations

import subprocess
import sys

from app.commands import Command, Keeper


class Counted:
    """A service that notes when it is started."""

    name = "counted"
    process: subprocess.Popen[bytes] | None = None

    def __init__(self) -> None:
        self.starts = 0
        self.lives = False

    def start(self) -> None:
        self.starts += 1
        self.lives = True

    def is_alive(self) -> bool:
        return self.lives


COUNTER = """
import signal, time
told = 0
def count(*_):
    global told
    told += 1
    print(told, flush=True)
signal.signal(signal.SIGTERM, count)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def test_what_was_restarted_is_left_alone_by_a_start_that_was_planned_before() -> None:
    service = Counted()
    keeper = Keeper(service)
    assert keeper.tick(now=1.0) is False  # it has ended: a start is planned

    keeper.is_paused = True
    service.start()
    keeper.resume()

    assert keeper.tick(now=1e12) is False
    assert service.starts == 1


def test_what_dies_again_after_that_is_started_again() -> None:
    service = Counted()
    keeper = Keeper(service)
    keeper.resume()

    assert keeper.tick(now=1e12) is False
    assert keeper.tick(now=1e12 + 10) is True
    assert service.starts == 1


def test_a_worker_is_asked_to_end_once_and_a_server_whenever_it_is_asked() -> None:
    """JB15: a worker's second SIGTERM would let go of an order that is being paid for."""
    for url, expected in ((None, 1), ("http://127.0.0.1:1", 2)):
        command = Command("told", "worker", {}, url)
        sent: list[bytes] = []
        command.process = subprocess.Popen(
            [sys.executable, "-c", COUNTER], stdout=subprocess.PIPE, start_new_session=True
        )
        assert command.process.stdout is not None
        command.process.stdout.readline()
        for _ in range(2):
            before = len(sent)
            command.ask_to_end()
            if before < expected:
                sent.append(command.process.stdout.readline())
        command.kill()
        rest = command.process.stdout.read()
        command.process.stdout.close()
        assert (len(sent), rest) == (expected, b"")
