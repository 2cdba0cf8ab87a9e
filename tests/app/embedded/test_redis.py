import os
import signal
import stat
from pathlib import Path

import pytest
from redis import Redis

from app.embedded.datadir import DataDir
from app.embedded.errors import StartError
from app.embedded.redis import EmbeddedRedis, find_server
from tests.app.embedded.conftest import wait_until_gone


def test_data_outlives_a_restart(redis: EmbeddedRedis) -> None:
    with Redis.from_url(redis.url) as client:
        client.set("kept", "42")

    redis.stop()
    assert not redis.is_alive()
    redis.start()

    with Redis.from_url(redis.url) as client:
        assert client.get("kept") == b"42"


def test_the_private_socket_is_the_only_door_and_nothing_is_evicted(redis: EmbeddedRedis) -> None:
    with Redis.from_url(redis.url) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert stat.S_IMODE(redis.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(redis.socket.parent.stat().st_mode) == 0o700


def test_killed_server_starts_again(redis: EmbeddedRedis) -> None:
    assert redis.process is not None
    os.kill(redis.process.pid, signal.SIGKILL)
    redis.process.wait()
    assert not redis.is_alive()

    redis.start()

    with Redis.from_url(redis.url) as client:
        assert client.ping()


def test_server_that_a_killed_supervisor_left_is_ended_first(redis: EmbeddedRedis, data: DataDir) -> None:
    assert redis.process is not None
    successor = EmbeddedRedis(data)

    successor.start()

    wait_until_gone(redis.process.pid)
    with Redis.from_url(successor.url) as client:
        assert client.ping()
    successor.stop()


def test_unreadable_files_are_told_with_the_cure(data: DataDir) -> None:
    server = EmbeddedRedis(data)
    (server.folder / "appendonly.aof").write_text("this is no log of Redis\n" * 100)
    (server.folder / "appendonlydir").write_text("nor is this a folder")

    with pytest.raises(StartError, match=r"(?s)Redis did not start;.*delete .*/redis: it holds nothing that is not"):
        server.start()

    assert not server.is_alive()


def test_server_older_than_needed_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n")
    old.chmod(0o755)
    new = tmp_path / "valkey-server"
    new.write_text("#!/bin/sh\necho 'Valkey server v=8.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'\n")
    new.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server() == new


def test_no_server_is_told_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(
        StartError, match=r"install redis-server or valkey-server 6\.2 or newer, or set EASEL_REDIS_URL"
    ):
        find_server()
