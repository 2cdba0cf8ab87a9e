"""`easel doctor`: a configuration with all mistakes that go together, and one for each of the rest."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
from redis.asyncio import Redis

from app.doctor.examination import CHECKS, examine
from app.embedded.datadir import DataDir, State
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.migrate import migrate
from app.settings import Settings, read_settings
from tests.app.running import Server, execute
from tests.app.sites import empty_database

MISTAKES = {
    "files": r"256 files open here.*`ulimit -n`",
    "role": r"may not read and write all of Easel's tables \(runs\).*GRANT",
    "room": r"lets 20 connections in, and 2 processes .* want 37: raise `max_connections`",
    "writes": r"`synchronous_commit` is off.*set it to on",
    "schema": r"\(0001\) is older than the code: run `easel migrate`",
    "queue": r"`maxmemory-policy allkeys-lru`.*set it to noeviction",
    "worker": r"start `easel worker`",
    "storage": r"could not write the picture store",
    "public": r"is not https.*No Easel answers at http://easel\.invalid.*correct EASEL_PUBLIC_URL",
    "origins": r"names 'app\.example\.com': an origin is scheme and host",
    "proxies": r"believes everybody \(0\.0\.0\.0/0\).*'nginx', which is no address",
    "secrets": r"EASEL_ADMIN_TOKEN can be guessed.*openssl rand.*chmod 600 \.env",
    "issuer": r"No keys are to be had at .*correct EASEL_JWT_JWKS_URL",
    "providers": r"OpenAI refuses its key \(401\).*OPENAI_API_KEY",
    "server": r"is taken: stop what listens there, or set EASEL_PORT",
}
"""Fifteen that go together, and what the doctor says of each."""


class _Refusing(BaseHTTPRequestHandler):
    """Knows no key and publishes none."""

    def do_GET(self) -> None:
        is_keys = self.path == "/keys"
        self.send_response(404 if is_keys else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """It has nothing to say."""


@pytest.fixture
def vendor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def database() -> Iterator[str]:
    with empty_database() as url:
        asyncio.run(migrate(url))
        yield url


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    server = EmbeddedRedis(DataDir(tmp_path / "redis"))
    yield server.start()
    server.stop()


def doctor(cwd: Path, **settings: str) -> dict[str, str]:
    """Lines by name."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 256; exec "$0" -m app.cli doctor', sys.executable],
        cwd=cwd,
        env=kept | {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"} | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.stderr == ""
    assert done.returncode == 1
    return {line.split()[1]: line for line in done.stdout.splitlines()}


async def throw_away_when_full(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("maxmemory-policy", "allkeys-lru")


def test_a_configuration_with_every_mistake(database: str, redis: str, vendor: str, tmp_path: Path) -> None:
    """DR1, DR2, DR3: each is named with its cure, in a line of its own, and nothing else is"""
    name = urlsplit(database).path[1:]
    for statement in (
        "REVOKE INSERT ON runs FROM current_user",
        f"ALTER DATABASE {name} CONNECTION LIMIT 20",
        f"ALTER DATABASE {name} SET synchronous_commit = off",
        "UPDATE alembic_version SET version_num = '0001'",
    ):
        asyncio.run(execute(database, statement))
    asyncio.run(throw_away_when_full(redis))
    (tmp_path / ".env").write_text("EASEL_ADMIN_TOKEN=change-me-change-me-change-me\n")
    (tmp_path / ".env").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lines = doctor(
            tmp_path,
            EASEL_ENV="production",
            EASEL_DATA_DIR=str(tmp_path / "data"),
            EASEL_DATABASE_URL=database,
            EASEL_REDIS_URL=redis,
            EASEL_STORAGE_URL="s3://pictures?endpoint=http://127.0.0.1:1",
            EASEL_PUBLIC_URL="http://easel.invalid",
            EASEL_ALLOWED_ORIGINS="app.example.com",
            EASEL_TRUSTED_PROXIES="0.0.0.0/0,nginx",
            EASEL_JWT_ISSUER="https://issuer.example.com",
            EASEL_JWT_JWKS_URL=f"{vendor}/keys",
            OPENAI_API_KEY="sk-nobody",
            OPENAI_BASE_URL=f"{vendor}/v1",
            EASEL_PORT=str(taken.getsockname()[1]),
        )

    assert set(lines) == set(CHECKS)
    assert {name for name, line in lines.items() if line.startswith("✗")} == set(MISTAKES)
    for name, says in MISTAKES.items():
        assert re.search(says, lines[name]), lines[name]
        assert lines[name].endswith(".")
    assert "sk-nobody" not in str(lines)
    assert "change-me" not in str(lines)


class Mistake(NamedTuple):
    check: str
    says: str
    settings: dict[str, str]


ALONE = [
    Mistake("public", "which leads nowhere: set EASEL_PUBLIC_URL", {"EASEL_HOST": "0.0.0.0"}),
    Mistake("public", "EASEL_CDN_URL must be an address", {"EASEL_CDN_URL": "cdn.example.com"}),
    Mistake("public", "EASEL_PUBLIC_URL must be an address", {"EASEL_PUBLIC_URL": "http://[bad"}),
    Mistake("public", "EASEL_CDN_URL must be an address", {"EASEL_CDN_URL": "https://cdn\x07.example.com"}),
    Mistake("origins", "names 'http://[bad'", {"EASEL_ALLOWED_ORIGINS": "http://[bad"}),
    Mistake("proxies", "name the proxy's address", {"EASEL_PUBLIC_URL": "https://easel.invalid"}),
    Mistake("reports", "set EASEL_PUBLIC_URL", {"OPENAI_WEBHOOK_SECRET": "whsec_x", "REPLICATE_WEBHOOK_SECRET": "x"}),
    Mistake("providers", "ComfyUI cannot be reached", {"COMFYUI_URL": "http://127.0.0.1:1"}),
    Mistake("redis", "is no Redis URL", {"EASEL_REDIS_URL": "http://127.0.0.1"}),
    Mistake("secrets", "EASEL_JWT_SECRET can be guessed", {
        "EASEL_JWT_ISSUER": "https://issuer.example.com", "EASEL_JWT_SECRET": "ab" * 16
    }),
    Mistake("server", "correct EASEL_HOST", {"EASEL_HOST": "203.0.113.1"}),
]  # fmt: skip


@pytest.mark.parametrize("mistake", ALONE, ids=lambda one: f"{one.check} {next(iter(one.settings))}")
def test_a_mistake_that_excludes_another(mistake: Mistake, tmp_path: Path) -> None:
    """DR1"""
    settings = read_settings({"EASEL_DATA_DIR": str(tmp_path), "EASEL_PORT": "0"} | mistake.settings, dotenv=None)

    found = {one.name: one for one in asyncio.run(examine(settings, None))}

    assert not found[mistake.check].is_well
    assert mistake.says in found[mistake.check].says


def settings_of(database: str, redis: str | None, data: Path, **more: object) -> Settings:
    return msgspec.structs.replace(
        Settings(), database_url=database, redis_url=redis, data_dir=data, port=0, **more
    )  # fmt: skip


def test_clocks_that_differ_and_a_full_disk(
    database: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DR1"""

    class Full(NamedTuple):
        free: int = 5 << 20

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Full())
    settings = settings_of(database, redis_url, tmp_path)

    found = {
        one.name: one for one in asyncio.run(examine(settings, None, lambda: datetime.now(UTC) + timedelta(minutes=1)))
    }

    assert re.search(r"clock and the database's are (59|60|61) s apart: let NTP", found["clock"].says)
    assert "Redis' are" in found["clock"].says
    assert "has 5 MiB left: make room" in found["disk"].says


def test_a_database_that_is_a_superusers_or_can_only_be_read(tmp_path: Path) -> None:
    """DR1: and one of another name, or another encoding"""
    postgres = EmbeddedPostgres(DataDir(tmp_path / "data"))
    postgres.start()
    try:
        url = postgres.url.replace("easel@/easel", "postgres@/postgres")
        asyncio.run(execute(url, "ALTER DATABASE postgres SET default_transaction_read_only = on"))
        found = asyncio.run(examine(settings_of(url, None, tmp_path / "d", env="production"), None))
        says = {one.name: one.says for one in found if not one.is_well}
        assert "postgres, who is a superuser: give it a role of its own" in says["role"]
        assert "can only read: set `default_transaction_read_only` to off" in says["writes"]
        assert "The database is empty: run `easel migrate`" in says["schema"]

        asyncio.run(execute(postgres.url, "CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'"))
        for name, cure in (("nowhere", "it has no database of this name"), ("old", "encoding is SQL_ASCII")):
            url = postgres.url.replace("/easel?", f"/{name}?")
            found = asyncio.run(examine(settings_of(url, None, tmp_path / "d"), None))
            assert cure in next(one.says for one in found if one.name == "database")
    finally:
        postgres.stop()


def test_a_replica_of_redis_is_no_place_for_a_queue(database: str, redis: str, tmp_path: Path) -> None:
    """DR1"""

    async def follow() -> list[str]:
        async with Redis.from_url(redis) as client:
            await client.replicaof("127.0.0.1", "1")
        found = await examine(settings_of(database, redis, tmp_path), None)
        return [one.says for one in found if one.name == "queue"]

    assert "let EASEL_REDIS_URL lead to the primary" in asyncio.run(follow())[0]


def test_an_easel_that_runs_is_no_stranger_on_its_port(server: Server, tmp_path: Path) -> None:
    """DR3: also at its public address"""
    port = server.url.rpartition(":")[2]
    settings = read_settings(
        {"EASEL_DATA_DIR": str(tmp_path), "EASEL_PORT": port, "EASEL_PUBLIC_URL": server.url}, dotenv=None
    )

    found = {one.name: one for one in asyncio.run(examine(settings, None))}

    assert found["server"].says == f"an Easel answers on 127.0.0.1:{port}."
    assert found["public"].says == f"links begin with {server.url}."


def test_the_port_that_an_easel_has_got_is_the_one_in_links(server: Server, tmp_path: Path) -> None:
    """DR3: with EASEL_PORT=0"""
    settings = read_settings({"EASEL_DATA_DIR": str(tmp_path), "EASEL_PORT": "0"}, dotenv=None)
    running = State(
        supervisor=1, database_url="postgresql://127.0.0.1:1/x", redis_url="redis://127.0.0.1:1", url=server.url
    )

    found = {one.name: one for one in asyncio.run(examine(settings, running))}

    assert found["public"].says == f"links begin with {server.url}."
    assert server.url in found["origins"].says


def test_keys_of_an_issuer_are_counted(tmp_path: Path) -> None:
    """DR3"""

    class Publishing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            key = {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
            self.wfile.write(json.dumps({"keys": [key]}).encode())

        def log_message(self, *_: object) -> None:
            """It has nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Publishing) as issuer:
        thread = threading.Thread(target=issuer.serve_forever)
        thread.start()
        environment = {
            "EASEL_DATA_DIR": str(tmp_path),
            "EASEL_PORT": "0",
            "EASEL_JWT_ISSUER": "https://issuer.example.com",
            "EASEL_JWT_JWKS_URL": f"http://127.0.0.1:{issuer.server_port}/keys",
        }
        found = asyncio.run(examine(read_settings(environment, dotenv=None), None))
        issuer.shutdown()
        thread.join()

    assert next(one.says for one in found if one.name == "issuer") == "https://issuer.example.com, with 1 key."
