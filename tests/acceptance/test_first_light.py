"""From a React Flow document to a picture on its node, seen by everybody: the journey this product exists for."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from tests.acceptance.conftest import ADMIN_TOKEN, RunningEasel

FLOWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "flows"
LARGEST = "chainforge-compare-prompts.json"
TRANSIENT = {"selected", "dragging", "resizing", "measured", "positionAbsolute"}
RUN = {"provider": "local", "model": "studio-1"}


@pytest.fixture
def client(easel: RunningEasel) -> Iterator[httpx.Client]:
    with easel.client() as client:
        yield client


def image_node(node_id: str = "fox") -> dict[str, Any]:
    return {"id": node_id, "type": "image_generation", "position": {"x": 0, "y": 0}, "data": {"prompt": "a fox"}}


def create(client: httpx.Client, **document: Any) -> dict[str, Any]:
    answer = client.post("/api/workflows", json={"name": "First light", **document})
    assert answer.status_code == 201, answer.text
    workflow: dict[str, Any] = answer.json()
    return workflow


def start(client: httpx.Client, workflow: dict[str, Any], node_id: str, **spec: Any) -> str:
    body = {"workflowId": workflow["id"], "nodeId": node_id, "promptSpec": {"basePrompt": "a fox", **spec}, **RUN}
    answer = client.post("/api/runs", json=body)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    assert answer.headers["location"] == f"/api/runs/{job_id}"
    return job_id


def watch(client: httpx.Client, job_id: str) -> list[tuple[int | None, str, dict[str, Any]]]:
    """A run's stream from its beginning to its end: (id, event, data)."""
    found: list[tuple[int | None, str, dict[str, Any]]] = []
    with client.stream("GET", f"/api/runs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            elif "event" in fields:
                number = int(fields["id"]) if "id" in fields else None
                found.append((number, fields["event"], json.loads(fields["data"])))
                fields = {}
    return found


class Peer:
    """A WebSocket client written from CONTRACT §5 alone."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.nodes: dict[str, dict[str, Any]] = {}
        self.seq = 0
        self.frames: list[dict[str, Any]] = []

    async def hello(self, client_id: str) -> dict[str, Any]:
        await self.send({"type": "hello", "protocol": 1, "clientId": client_id, "resume": None})
        welcome = await self.next("welcome")
        self.seq = welcome["seq"]
        while True:
            part = await self.next("snapshot")
            self.nodes |= {node["id"]: node for node in part["nodes"]}
            if part["part"] == part["parts"]:
                return welcome

    async def send(self, message: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(message))

    async def next(self, kind: str) -> dict[str, Any]:
        """The next message of a kind; what comes before it is taken in."""
        while True:
            message: dict[str, Any] = json.loads(await self._socket.recv())
            self._take_in(message)
            if message["type"] == kind:
                return message

    def _take_in(self, message: dict[str, Any]) -> None:
        if message["type"] == "ops":
            for transaction in message["transactions"]:
                assert transaction["seq"] == self.seq + 1, "a gap"
                self.seq = transaction["seq"]
                for op in transaction["ops"]:
                    self._apply(op)
        elif message["type"] == "result" and message["seq"] > self.seq:
            assert message["seq"] == self.seq + 1, "a gap"
            self.seq = message["seq"]
        elif message["type"] == "frame":
            self.frames.append(message)

    def _apply(self, op: dict[str, Any]) -> None:
        if op["op"] == "update" and op["kind"] == "node":
            data = self.nodes[op["id"]].setdefault("data", {})
            data |= {pointer.removeprefix("/data/"): value for pointer, value in op.get("set", {}).items()}
            for pointer in op.get("unset", ()):
                data.pop(pointer.removeprefix("/data/"), None)

    async def until(self, node_id: str, status: str) -> None:
        while self.nodes[node_id]["data"].get("status") != status:
            await self.next("ops")

    def runs_shown(self) -> list[dict[str, Any]]:
        return [run for frame in self.frames for run in frame["runs"]]


@asynccontextmanager
async def peer_at(easel: RunningEasel, workflow_id: str, token: str = ADMIN_TOKEN) -> AsyncIterator[Peer]:
    url = f"{easel.url.replace('http', 'ws')}/ws/workflows/{workflow_id}"
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, max_size=None) as socket:
        yield Peer(socket)


# The document


def test_largest_real_document_imports_and_comes_back_the_same(client: httpx.Client) -> None:
    if not FLOWS.is_dir():
        assert "CI" not in os.environ, "the shared documents must be there in CI"
        pytest.skip("the shared React Flow documents are not beside this checkout")
    document = json.loads((FLOWS / LARGEST).read_bytes())

    created = create(client, **document)

    assert created["warnings"] == []
    workflow = client.get(f"/api/workflows/{created['id']}").json()
    sent = document["flow"]
    stripped = [{key: value for key, value in node.items() if key not in TRANSIENT} for node in sent["nodes"]]
    assert by_id(workflow["nodes"]) == by_id(stripped)
    assert by_id(workflow["edges"]) == by_id(
        [{k: v for k, v in e.items() if k not in TRANSIENT} for e in sent["edges"]]
    )
    assert workflow["viewport"] == sent.get("viewport")
    places = {node["id"]: place for place, node in enumerate(workflow["nodes"])}
    assert all(places[n["parentId"]] < places[n["id"]] for n in workflow["nodes"] if n.get("parentId"))


def by_id(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in records}


# The run


@pytest.mark.anyio
async def test_run_is_seen_on_every_lane_and_ends_on_its_node(easel: RunningEasel, client: httpx.Client) -> None:
    workflow = create(client, nodes=[image_node()], edges=[])
    async with peer_at(easel, workflow["id"]) as peer:
        await peer.hello("tab-1")
        job_id = start(client, workflow, "fox", seed=7, size="800x600")
        events = watch(client, job_id)
        await peer.until("fox", "completed")
        while not any(run["status"] == "completed" for run in peer.runs_shown()):
            await peer.next("frame")

    assert [number for number, _, _ in events[:-1]] == list(range(1, len(events)))
    assert [event for _, event, _ in events][-2:] == ["status", "end"]
    statuses = [data["data"]["status"] for _, event, data in events if event == "status"]
    assert statuses == ["pending", "running", "completed"]
    percents = [data["progress"] for _, event, data in events if event == "progress"]
    assert percents == sorted(percents)
    assert len(percents) >= 2
    assert any(run.get("previewUrl") for run in peer.runs_shown())
    data = node_data(client, workflow)
    assert data == peer.nodes["fox"]["data"]
    assert data["status"] == "completed"
    assert data["jobId"] == job_id
    assert size_of(client, data["imageUrl"]) == (800, 600)
    assert size_of(client, data["thumbnailUrl"]) == (300, 300)


def node_data(client: httpx.Client, workflow: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = client.get(f"/api/workflows/{workflow['id']}/nodes/fox").json()["data"]
    return data


def test_every_variant_is_served_in_its_exact_size(client: httpx.Client) -> None:
    workflow = create(client, nodes=[image_node()], edges=[])
    job_id = start(client, workflow, "fox", size="2048x1024")
    watch(client, job_id)

    render = next(one for one in client.get("/api/renders").json()["items"] if one["jobId"] == job_id)

    assert size_of(client, render["imageUrl"]) == (2048, 1024)
    variants = {variant["kind"]: variant for variant in render["variants"]}
    assert variants.keys() == {"thumbnail", "icon", "display"}
    assert size_of(client, variants["thumbnail"]["url"]) == (300, 300)
    assert size_of(client, variants["icon"]["url"]) == (128, 128)
    display = size_of(client, variants["display"]["url"])
    assert max(display) <= 2048
    assert display == (variants["display"]["width"], variants["display"]["height"])
    assert render["origin"]["prompt"] == "a fox"


def test_stream_asked_again_after_its_end_is_204(client: httpx.Client) -> None:
    workflow = create(client, nodes=[image_node()], edges=[])
    job_id = start(client, workflow, "fox", size="256x256")
    last = watch(client, job_id)[-2][0]

    again = client.get(f"/api/runs/{job_id}/events", headers={"Last-Event-ID": str(last)})

    assert again.status_code == 204
    part = client.get(f"/api/runs/{job_id}/events", params={"lastEventId": "1"}, headers={"Accept": "application/json"})
    assert len(part.json()["items"]) == (last or 0) - 1


def size_of(client: httpx.Client, url: str) -> tuple[int, int]:
    answer = client.get(url)
    assert answer.status_code == 200
    with Image.open(BytesIO(answer.content)) as picture:
        assert answer.headers["content-type"] == Image.MIME[picture.format or ""]
        picture.load()
        return picture.size


# What is killed


def test_killed_worker_in_the_middle_of_a_run_costs_no_run_and_makes_no_second_picture(tmp_path: Path) -> None:
    easel = RunningEasel(tmp_path / "data", EASEL_LOCAL_PACE_SECONDS="3")
    with easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
        job_id = start(client, workflow, "fox", size="512x512")
        killed = False
        with client.stream("GET", f"/api/runs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
            for line in stream.iter_lines():
                if line == "event: progress" and not killed:
                    os.kill(easel.state().pids["easel worker"], signal.SIGKILL)
                    killed = True

        assert killed
        run = client.get(f"/api/runs/{job_id}").json()
        assert run["status"] == "completed"
        renders = client.get("/api/renders", params={"workflowId": workflow["id"]}).json()["items"]
        assert [render["jobId"] for render in renders] == [job_id]
        events = client.get(f"/api/runs/{job_id}/events", headers={"Accept": "application/json"}).json()["items"]
        assert [event["message"] for event in events].count("Done") == 1
        assert "Taken over by another worker" in [event["message"] for event in events]
    easel.stop()


@pytest.mark.anyio
async def test_op_is_there_after_the_server_is_killed_right_after_its_result(own_easel: RunningEasel) -> None:
    with own_easel.client() as client:
        workflow = create(client, nodes=[image_node()], edges=[])
        async with peer_at(own_easel, workflow["id"]) as peer:
            await peer.hello("tab-1")
            op = {"op": "update", "kind": "node", "id": "fox", "set": {"/data/prompt": "a wolf"}}
            await peer.send({"type": "push", "clientSeq": 1, "ops": [op]})
            result = await peer.next("result")
            heard = len(own_easel.said)
            os.kill(own_easel.state().pids["easel serve"], signal.SIGKILL)

        assert result["outcome"] == "commit"
        own_easel.wait_for("server.ready", after=heard)
        assert node_data(client, workflow)["prompt"] == "a wolf"


# Who may


def test_without_a_token_nothing_but_the_open_routes_answers(easel: RunningEasel) -> None:
    with httpx.Client(base_url=easel.url) as nobody:
        for path in ("/api/me", "/api/workflows", "/api/runs", "/api/renders", "/api/providers"):
            assert nobody.get(path).status_code == 401, path
        for path in ("/health", "/health/live", "/health/ready", "/schema/openapi.json"):
            assert nobody.get(path).status_code == 200, path


def test_another_accounts_workflow_does_not_exist(easel: RunningEasel, client: httpx.Client) -> None:
    workflow = create(client, nodes=[image_node()], edges=[])
    stranger = easel.run("token", "create", "--account", "Stranger")

    with easel.client(stranger) as other:
        assert other.get(f"/api/workflows/{workflow['id']}").status_code == 404
        assert other.patch(f"/api/workflows/{workflow['id']}/nodes/fox", json={"data": {}}).status_code == 404
        assert other.get("/api/workflows").json()["items"] == []
