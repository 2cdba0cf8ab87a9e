"""`easel up`: databases, schema, server and worker, in this order; kept alive; ended together.

Plain blocking code on the main thread: the kernel ends our children when the thread that forked them ends.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import asyncpg
import click
import msgspec
import structlog
from redis import Redis, RedisError

from app.auth.login_links import mint_login_link
from app.commands import Command, Keeper, Service, asked
from app.embedded.datadir import DataDir, State
from app.embedded.errors import StartError
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import OLDEST, EmbeddedRedis
from app.migrate import migrate
from app.proxy import Proxy, find_caddy
from app.settings import COUNTS_FOLDER, Settings

READY_TIMEOUT_S = 120
REACH_TIMEOUT_S = 10
TICK_S = 0.1
DEATHS_BEFORE_READY = 5
COMMANDS_GRACE_S, STOP_TIMEOUT_S = 2.0, 2.8  # everything is gone within 3 s of Ctrl-C
CLUSTER_DELAY_S = 2.0  # many times what the proxy takes to see that a server is leaving, or has come back
ENDS_S = 5.0  # what a server has after its delay
EXIT_GAVE_UP = 3

log = structlog.get_logger()


class GaveUpError(Exception):
    """Something of ours does not come up; it has said why on its own stderr."""


class _Health(msgspec.Struct):
    services: dict[str, str]


def up(settings: Settings) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code. Raises StartError for what its reader can put right."""
    data = DataDir(settings.data_dir)
    with data.locked(), _signals_interrupt():
        household = Household(settings, data)
        signal.signal(signal.SIGUSR1, lambda _number, _frame: household.note_restart())
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
        self._caddy = find_caddy() if settings.servers > 1 else None
        self._databases: list[EmbeddedPostgres | EmbeddedRedis] = []
        self._commands: list[Command] = []
        self._proxies: list[Proxy] = []
        self._keepers: list[Keeper] = []
        self._is_ready = False
        self._is_to_restart = False

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
        self._commands = [*self._servers(), *self._workers()]
        for child in (*self._commands, *self._proxies):
            child.start()
        self._keepers = [Keeper(service) for service in self._services()]
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
            if self._is_to_restart:
                self._is_to_restart = False
                self._restart_in_turn()
            time.sleep(TICK_S)

    def note_restart(self) -> None:
        self._is_to_restart = True

    def _restart_in_turn(self) -> None:
        """Servers and workers, one after another, each with the code and packages that are installed by now.

        With several servers nobody notices: the proxy sends no one to a server that is leaving.
        """
        click.echo("Restarting one after another.")
        for command in self._commands:
            keeper = next(keeper for keeper in self._keepers if keeper.service is command)
            keeper.is_paused = True
            command.ask_to_end()
            waits_s = (self._settings.drain_seconds if command.drains else self._delay_s) + ENDS_S
            self._look_after_until(command.has_ended, waits_s)
            command.start()  # after it has killed what would not end
            keeper.resume()
            self._write_state()
            if not self._look_after_until(command.is_ready, READY_TIMEOUT_S):
                log.error("restart_given_up", service=command.name, reason="It does not come up; the others were left.")
                return
        click.echo("Everything has been restarted.")

    def _look_after_until(self, is_done: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > end:
                return False
            self._look_after()
            time.sleep(TICK_S)
        return True

    def stop(self, is_insisted: Callable[[], bool]) -> None:
        """The server and the worker first, both at once: they still need the databases to end well.

        A worker that waits for an order (JB15) is waited for, until somebody insists.
        """
        began = time.monotonic()
        for proxy in self._proxies:
            proxy.kill()
        for command in self._commands:
            command.ask_to_end()
        if self._delay_s:  # which is for load balancers: nobody comes any more
            time.sleep(TICK_S)
            for command in self._commands:
                command.hurry()
        for command in self._commands:
            command.wait(began + COMMANDS_GRACE_S - time.monotonic())
        for command in self._commands:
            if command.drains:
                self._let_drain(command, is_insisted)
            command.kill()
        end = max(began, time.monotonic() - COMMANDS_GRACE_S) + STOP_TIMEOUT_S
        for database in reversed(self._databases):
            database.stop(max(end - time.monotonic(), 0.2))

    def _let_drain(self, worker: Command, is_insisted: Callable[[], bool]) -> None:
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
        """Whether every server takes traffic and sees a worker."""
        if not all(command.is_ready() for command in self._commands):
            return False
        health = asked(f"{self._local_url}/health")
        return health is not None and msgspec.json.decode(health, type=_Health).services.get("worker") == "connected"

    def _servers(self) -> list[Command]:
        """One on the port of the settings; several on ports of their own, behind a proxy that has it."""
        if self._caddy is None:
            return [Command("easel serve", "serve", self._environment(), self._local_url)]
        ports = _free_ports(self._settings.servers)
        self._proxies = [Proxy(self._caddy, self._settings, self._port, ports, self._data)]
        believed = ",".join(("127.0.0.1", *self._settings.trusted_proxies))
        own = {"EASEL_TRUSTED_PROXIES": believed, "EASEL_SHUTDOWN_DELAY_SECONDS": str(self._delay_s)}
        return [
            Command(
                f"easel serve {number}",
                "serve",
                self._environment() | own | {"EASEL_LISTEN": f"127.0.0.1:{port}"},
                f"http://127.0.0.1:{port}",
            )
            for number, port in enumerate(ports, 1)
        ]

    def _workers(self) -> list[Command]:
        count = self._settings.workers
        names = ["easel worker"] if count == 1 else [f"easel worker {number + 1}" for number in range(count)]
        return [Command(name, "worker", self._environment()) for name in names]

    def _services(self) -> Sequence[Service]:
        return (*self._databases, *self._commands, *self._proxies)

    @property
    def _delay_s(self) -> float:
        return self._settings.shutdown_delay_seconds or (CLUSTER_DELAY_S if self._settings.servers > 1 else 0.0)

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
    def _local_url(self) -> str:
        return msgspec.structs.replace(self._own_place, public_url=None).base_url

    @property
    def _base_url(self) -> str:
        return self._own_place.base_url

    @property
    def _own_place(self) -> Settings:
        return msgspec.structs.replace(self._settings, host=_reachable(self._settings.host), port=self._port)

    def _write_state(self) -> None:
        self._data.write_state(
            State(
                supervisor=os.getpid(),
                database_url=self._database_url,
                redis_url=self._redis_url,
                url=self._base_url if self._is_ready else "",
                pids={service.name: service.process.pid for service in self._services() if service.process},
                servers=[command.url for command in self._commands if command.url],
            )
        )


def _free_ports(count: int) -> list[int]:
    """All different: each is held until the last one is found."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


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
