"""What stands in front in docs/deploy/compose: its own Caddyfile in a real Caddy, before a server and a store."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.migrate import migrate
from jobs.objects.probe import probe
from jobs.objects.store import open_objects
from tests.app.running import Person, free_port
from tests.app.sites import Site, empty_database
from tests.chaos.cluster import caddys_folder
from tests.jobs.objects.stores import BUCKET, KEY, rclone
from tests.rules.test_house import ROOT

PAGE = "https://easel.example.com"


class Front(NamedTuple):
    url: str
    store: str
    """The store's address, as browsers have it."""
    person: Person
    """Somebody who comes through it."""


def caddyfile(ports: list[int], server: str, store: str) -> str:
    """The file itself; only names that lead somewhere else are others, and it says when it is ready."""
    text = (ROOT / "docs" / "deploy" / "compose" / "Caddyfile").read_text()
    for written, here in {
        "\n{$DOMAIN} {": f"\nhttp://127.0.0.1:{ports[0]} {{",
        "\n{$S3_DOMAIN} {": f"\nhttp://127.0.0.1:{ports[1]} {{",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{ports[2]}",
        "server-1:8000 server-2:8000": f"127.0.0.1:{ports[3]} {server}",  # the first is not there
        "s3:7070": store,
        "level WARN": "level INFO",
    }.items():
        assert text.count(written) == 1, written
        text = text.replace(written, here)
    return text


@pytest.fixture(scope="module")
def front(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder, ports = tmp_path_factory.mktemp("front"), [free_port() for _ in range(4)]
    with empty_database() as url, rclone(folder / "store") as storage, ExitStack() as running:
        asyncio.run(migrate(url))
        environment = {"EASEL_DATABASE_URL": url, "EASEL_REDIS_URL": redis_url, "EASEL_DATA_DIR": str(folder / "data")}
        site = Site(environment | {"EASEL_TRUSTED_PROXIES": "127.0.0.1"})
        running.callback(site.ends)
        server = site.serves()
        endpoint = parse_qs(urlsplit(storage).query)["endpoint"][0]
        text = caddyfile(ports, urlsplit(server.url).netloc, urlsplit(endpoint).netloc)
        (folder / "Caddyfile").write_text(text)
        with _caddy(folder):
            front = f"http://127.0.0.1:{ports[0]}"
            server.url = front
            yield Front(front, f"http://127.0.0.1:{ports[1]}", site.person(server))


class _caddy:  # noqa: N801 - a context manager
    def __init__(self, folder: Path) -> None:
        homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        self._process = subprocess.Popen(
            [f"{caddys_folder()}/caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"],
            env=os.environ | homes | {"DOMAIN": "easel.example.com"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> None:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if "serving initial configuration" in line:
                break
        else:
            raise AssertionError("".join(said))
        self._reader = threading.Thread(target=self._process.stderr.read)  # a full pipe would hold it up
        self._reader.start()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


def test_pages_send_uploads_to_the_store_behind_it(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """UP7: as the doctor tries a store: signatures hold, and pages of Easel's own address may send"""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)

    async def ask() -> str:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await probe(open_objects(f"s3://{BUCKET}?endpoint={front.store}"), PAGE, http)

    assert f"straight to it, from pages of {PAGE}" in asyncio.run(ask())


def test_pages_of_others_may_not(front: Front) -> None:
    """UP7"""
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PUT"}

    answer = httpx.options(f"{front.store}/{BUCKET}/x", headers=asked, trust_env=False)

    assert "access-control-allow-origin" not in answer.headers
    assert httpx.get(f"{front.store}/{BUCKET}/x", trust_env=False).status_code in {400, 403}, (
        "nothing without a signature"
    )


def test_requests_streams_and_sockets_go_through(front: Front) -> None:
    """UP7: also while one of the two servers is not there; what is compressed is found again by its ETag"""
    person = front.person
    workflow_id = person.workflow()

    page = person.http.get("/schema", headers={"Accept-Encoding": "gzip"})
    assert (page.headers["content-type"].split(";")[0], page.headers["content-encoding"]) == ("text/html", "gzip")
    nodes = [{"id": str(number), "position": {"x": 0, "y": 0}, "data": {}} for number in range(100)]
    large = person.http.get(f"/api/workflows/{person.workflow(nodes=nodes, edges=[])}")
    assert "content-encoding" not in large.headers
    renamed = person.http.patch(
        f"/api/workflows/{large.json()['id']}", json={"name": "Large"}, headers={"If-Match": large.headers["etag"]}
    )
    assert renamed.status_code == 200
    with person.at(workflow_id) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "c", "resume": None}))
        assert json.loads(socket.recv(20))["type"] == "welcome"
    job_id = person.starts(workflow_id)["jobId"]
    with person.http.stream("GET", f"/api/runs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert "content-encoding" not in stream.headers
        assert next(stream.iter_lines()), "what is told is not held back"
