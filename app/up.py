"""`easel up`: databases, schema, server and worker, in this order; kept alive; ended together.

Plain blocking code on the main thread: the kernel ends our children when the thread that forked them ends.
"""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

import asyncpg
import click
import msgspec
import structlog
from redis import Redis, RedisError

from app.auth.login_links import mint_login_link
from app.embedded.datadir import DataDir, State
from app.embedded.errors import StartError
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import has_ended_within, kill_group, spawn
from app.embedded.redis import OLDEST, EmbeddedRedis
from app.migrate import migrate
from app.settings import COUNTS_FOLDER, Settings

READY_TIMEOUT_S = 120
REACH_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 2
TICK_S = 0.1
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 5.0
STEADY_S = 30  # whoever lived this long has not died of what it died of before
DEATHS_BEFORE_READY = 5
COMMANDS_GRACE_S, STOP_TIMEOUT_S = 2.0, 2.8  # everything is gone within 3 s of Ctrl-C
EXIT_GAVE_UP = 3

log = structlog.get_logger()


class GaveUpError(Exception):
    """Something of ours does not come up; it has said why on its own stderr."""


class Service(Protocol):
    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> object: ...
    def is_alive(self) -> bool: ...


class _Health(msgspec.Struct):
    services: dict[str, str]


def up(settings: Settings) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code. Raises StartError for what its reader can put right."""
    data = DataDir(settings.data_dir)
    with data.locked(), _signals_interrupt():
        household = Household(settings, data)
        try:
            household.start()
            household.wait_until_ready()
            click.echo(f"Easel is ready: {household.login_link()}")
            household.keep()
        except KeyboardInterrupt:
            pass  # the one way to end us; what follows ends the rest
        except GaveUpError as error:
            click.echo(f"Error: {error}", err=True)
            return EXIT_GAVE_UP
        finally:
            household.stop(_insisted())
    return 0


class Household:
    """Everything that one `easel up` runs, in the order in which it starts."""

    def __init__(self, settings: Settings, data: DataDir) -> None:
        self._settings = settings
        self._data = data
        self._port = _free_port(settings.host, settings.port)
        self._databases: list[EmbeddedPostgres | EmbeddedRedis] = []
        self._commands: list[Command] = []
        self._keepers: list[Keeper] = []
        self._is_ready = False

    def start(self) -> None:
        for counts in self._data.folder("metrics").glob("*.db"):  # of what ran before
            counts.unlink()
        self._database_url = self._settings.database_url or self._embed(EmbeddedPostgres(self._data))
        self._redis_url = self._settings.redis_url or self._embed(EmbeddedRedis(self._data))
        if self._settings.database_url:
            asyncio.run(_reach_database(self._database_url))
        if self._settings.redis_url:
            _reach_redis(self._redis_url)
        asyncio.run(migrate(self._database_url))
        for name in ("serve", "worker"):
            command = Command(name, self._environment())
            self._commands.append(command)
            command.start()
        self._keepers = [Keeper(service) for service in (*self._databases, *self._commands)]
        self._write_state()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise GaveUpError(f"Easel was not ready after {READY_TIMEOUT_S} s.")
            self._look_after()
            time.sleep(TICK_S)
        self._is_ready = True
        self._write_state()

    def keep(self) -> None:
        while True:
            self._look_after()
            time.sleep(TICK_S)

    def stop(self, is_insisted: Callable[[], bool]) -> None:
        """The server and the worker first, both at once: they still need the databases to end well.

        A worker that waits for an order (JB15) is waited for, until somebody insists.
        """
        began = time.monotonic()
        for command in self._commands:
            command.ask_to_end()
        for command in self._commands:
            command.wait(began + COMMANDS_GRACE_S - time.monotonic())
        for command in self._commands:
            if command.drains:
                self._let_drain(command, is_insisted)
            command.kill()
        end = max(began, time.monotonic() - COMMANDS_GRACE_S) + STOP_TIMEOUT_S
        for database in reversed(self._databases):
            database.stop(max(end - time.monotonic(), 0.2))

    def _let_drain(self, worker: "Command", is_insisted: Callable[[], bool]) -> None:
        seconds = self._settings.drain_seconds
        if not worker.is_alive() or not seconds:
            return
        click.echo(f"A picture is being paid for: waiting {seconds:g} s at most. Ctrl-C once more stops at once.")
        end = time.monotonic() + seconds
        while worker.is_alive() and time.monotonic() < end and not is_insisted():
            time.sleep(TICK_S)

    def login_link(self) -> str:
        return asyncio.run(mint_login_link(self._database_url, self._base_url))

    def _embed(self, database: EmbeddedPostgres | EmbeddedRedis) -> str:
        self._databases.append(database)
        return database.start()

    def _look_after(self) -> None:
        for keeper in self._keepers:
            if keeper.tick(time.monotonic()):
                self._write_state()
            if not self._is_ready and keeper.deaths >= DEATHS_BEFORE_READY:
                raise GaveUpError(
                    f"{keeper.service.name} ended {keeper.deaths} times before Easel was ready; see above."
                )

    def _answers(self) -> bool:
        """Whether the server takes traffic and sees a worker."""
        connection = http.client.HTTPConnection(_reachable(self._settings.host), self._port, timeout=ANSWER_TIMEOUT_S)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException, msgspec.MsgspecError),
        ):
            connection.request("GET", "/health/ready")
            ready = connection.getresponse()
            ready.read()
            connection.request("GET", "/health")
            health = msgspec.json.decode(connection.getresponse().read(), type=_Health)
            return ready.status == http.client.OK and health.services.get("worker") == "connected"
        return False

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "EASEL_DATABASE_URL": self._database_url,
            "EASEL_REDIS_URL": self._redis_url,
            "EASEL_DATA_DIR": str(self._data.path),
            "EASEL_HOST": self._settings.host,
            "EASEL_PORT": str(self._port),
            COUNTS_FOLDER: str(self._data.folder("metrics")),
        }

    @property
    def _base_url(self) -> str:
        host = _reachable(self._settings.host)
        return msgspec.structs.replace(self._settings, host=host, port=self._port).base_url

    def _write_state(self) -> None:
        services = (*self._databases, *self._commands)
        self._data.write_state(
            State(
                supervisor=os.getpid(),
                database_url=self._database_url,
                redis_url=self._redis_url,
                url=self._base_url if self._is_ready else "",
                pids={service.name: service.process.pid for service in services if service.process},
            )
        )


class Command:
    """`easel serve` or `easel worker` as a child; what it prints goes to our own terminal."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = f"easel {name}"
        self.drains = name == "worker"
        self.process: subprocess.Popen[bytes] | None = None
        script = Path(sysconfig.get_path("scripts")) / "easel"
        self._argv = [sys.executable, *([script] if script.exists() else ["-m", "app.cli"]), name]
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


class Keeper:
    """Starts one service again when it ends, later each time that it ends soon."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.deaths = 0
        self._delay_s = FIRST_DELAY_S
        self._started_at = time.monotonic()
        self._start_at: float | None = None

    def tick(self, now: float) -> bool:
        """True when the service has just been started again."""
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

    def _plan_start(self, now: float) -> None:
        if now - self._started_at > STEADY_S:
            self._delay_s = FIRST_DELAY_S
        self.deaths += 1
        code = self.service.process.returncode if self.service.process else None
        log.warning("service_ended", service=self.service.name, exit_code=code, starting_again_in_s=self._delay_s)
        self._start_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)


def _free_port(host: str, port: int) -> int:
    """The port itself when nobody listens on it; for 0 any free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
            probe.bind(address)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        raise StartError(
            f"Easel cannot listen on {host}:{port} ({error.strerror}): "
            "stop what uses it, or set EASEL_PORT to another port (0 = any free one)."
        ) from error


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound


async def _reach_database(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=REACH_TIMEOUT_S)
        await connection.close()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise StartError(
            f"No database answers at EASEL_DATABASE_URL ({reason}): correct it, or leave it empty."
        ) from error


def _reach_redis(url: str) -> None:
    try:
        with Redis.from_url(url, socket_connect_timeout=REACH_TIMEOUT_S, socket_timeout=REACH_TIMEOUT_S) as client:
            version = str(client.info("server")["redis_version"])
    except (OSError, ValueError, RedisError) as error:
        raise StartError(f"No Redis answers at EASEL_REDIS_URL ({error}): correct it, or leave it empty.") from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise StartError(f"The Redis at EASEL_REDIS_URL is version {version}: Easel needs 6.2 or newer.")


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal end us as Ctrl-C does, also from the background, where Ctrl-C is switched off."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _insisted()  # make and the terminal may both send one; the second must not cut the tidying short
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if number is not signal.SIGHUP or handler is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _insisted() -> Callable[[], bool]:
    """Signals do no more than to be noted; those that come with the first one (make and the terminal) are the same."""
    began, noted_at = time.monotonic(), 0.0

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal noted_at
        noted_at = time.monotonic()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)  # and not SIG_IGN: Python complains aloud of one that arrived just before that
    return lambda: noted_at > began + COMMANDS_GRACE_S
