"""ComfyUI as a real one was seen to behave (image-jobs.md §1.7): HTTP and WebSocket on one port, all in memory."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import uuid
from collections.abc import Mapping
from typing import Any

import h11
import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Server, Told, Turn, _Wire, told

USER = "easel"
STEPS = 4


class Job(msgspec.Struct):
    number: int
    id: str
    nodes: dict[str, Any]
    client_id: str

    @property
    def item(self) -> list[Any]:
        return [self.number, self.id, self.nodes, {"client_id": self.client_id}, []]

    def inputs(self, class_type: str) -> list[dict[str, Any]]:
        return [node["inputs"] for node in self.nodes.values() if node["class_type"] == class_type]

    @property
    def pictures(self) -> int:
        return max((node["inputs"].get("batch_size", 1) for node in self.nodes.values()), default=1)


class ComfyUI:
    """`async with comfyui.server`. Orders are drawn one after the other, each as soon as it comes unless `held`."""

    def __init__(self, password: str) -> None:
        self.server = ComfyServer(self)
        self.checkpoints = ["sd15.safetensors", "xl.safetensors"]
        self.pending: list[Job] = []
        self.running: Job | None = None
        self.history: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.sockets: dict[str, Socket] = {}
        self.ended = asyncio.Event()
        self.go = asyncio.Event()
        """Cleared: the order under way stops at half of its steps until it is set."""
        self.go.set()
        self.takes_sockets = True
        self.listener_first = False
        """An order is not begun before somebody listens."""
        self.lost_interrupts = 0
        self.late_looks = 0
        """So often an ended order is not in the history yet."""
        self.error: dict[str, Any] | None = None
        """What the next order's node fails with."""
        self.images: list[dict[str, str]] | None = None
        """What the next order says it has saved, instead."""
        self._authorization = "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()
        self._password = password
        self._interrupted = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._numbers = 0

    @property
    def base_url(self) -> str:
        return self.server.url.replace("://", f"://{USER}:{self._password}@")

    def restart(self) -> None:
        """As after kill -9: sockets are gone, queue and history are empty, temporary files too."""
        if self._worker is not None:
            self._worker.cancel()
        for socket in list(self.sockets.values()):
            socket.drop()
        self.pending, self.running, self._worker = [], None, None
        self.history.clear()

    async def stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])

    # HTTP

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != self._authorization:
            return told({"error": "sign in"}, 401)
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["prompt"]:
                return self._order(asked)
            case "GET", ["queue"]:
                running = [self.running.item] if self.running else []
                return told({"queue_running": running, "queue_pending": [job.item for job in self.pending]})
            case "POST", ["queue"]:
                self.pending = [job for job in self.pending if job.id not in asked.json()["delete"]]
            case "GET", ["history", prompt_id]:
                return told(self._ended(prompt_id))
            case "POST", ["interrupt"]:
                self._interrupt(asked.json()["prompt_id"])
            case "GET", ["object_info", loader]:
                required = {"ckpt_name": [self.checkpoints, {"tooltip": "The checkpoint to load."}]}
                return told({loader: {"input": {"required": required}}})
            case "POST", ["upload", "image"]:
                return self._upload(asked)
            case "GET", ["view"]:
                return self._view(asked.query)
            case _:
                return Told(b"404: Not Found", 404, "text/plain")
        return Told(b"", 200, "application/octet-stream")

    def _order(self, asked: Asked) -> Told:
        body = asked.json()
        assert str(uuid.UUID(body["prompt_id"])) == body["prompt_id"] == body["client_id"]
        nodes = body["prompt"]
        for id_, node in nodes.items():
            for name, value in node["inputs"].items():
                assert not isinstance(value, list) or value[0] in nodes, f"{id_}.{name} leads nowhere"
        wrong = self._wrong(nodes)
        if wrong:
            return refusal(400, "Prompt outputs failed validation", wrong)
        self.server.accepted.append(asked)
        self._numbers += 1
        self.pending.append(Job(self._numbers, body["prompt_id"], nodes, body["client_id"]))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return told({"prompt_id": body["prompt_id"], "number": self._numbers, "node_errors": {}})

    def _wrong(self, nodes: dict[str, Any]) -> dict[str, Any]:
        offered = {"ckpt_name": self.checkpoints, "image": list(self.uploads)}
        for id_, node in nodes.items():
            for name, value in node["inputs"].items():
                if isinstance(value, str) and value not in offered.get(name, [value]):
                    details = f"{name}: '{value}' not in {offered[name]}"
                    reason = {"type": "value_not_in_list", "message": "Value not in list", "details": details}
                    return {id_: {"errors": [reason], "class_type": node["class_type"], "dependent_outputs": ["4"]}}
        return {}

    def _ended(self, prompt_id: str) -> dict[str, Any]:
        if prompt_id in self.history and self.late_looks:
            self.late_looks -= 1
            return {}
        return {prompt_id: self.history[prompt_id]} if prompt_id in self.history else {}

    def _interrupt(self, prompt_id: str) -> None:
        if self.lost_interrupts:
            self.lost_interrupts -= 1
        elif self.running is not None and self.running.id == prompt_id:
            self._interrupted.set()

    def _upload(self, asked: Asked) -> Told:
        [image] = [part for part in asked.parts() if part.name == "image"]
        assert asked.fields() == {"type": "input", "overwrite": "true"}
        assert image.filename is not None
        self.uploads[image.filename] = image.content
        return told({"name": image.filename, "subfolder": "", "type": "input"})

    def _view(self, query: Mapping[str, str]) -> Told:
        content = self.files.get(f"{query['type']}/{query.get('subfolder', '')}/{query['filename']}")
        return Told(b"", 404) if content is None else Told(content, content_type="image/png")

    # Drawing

    async def _work(self) -> None:
        while self.pending:
            if self.listener_first:
                await self.server.until(lambda: bool(self.sockets))
            job = self.running = self.pending.pop(0)
            self._interrupted.clear()
            messages: list[Any] = [["execution_start", {"prompt_id": job.id}]]
            outputs: dict[str, Any] = {}
            if await self._draw(job):
                messages.append(["execution_interrupted", {"prompt_id": job.id, "node_id": "2"}])
            elif self.error is not None:
                messages.append(["execution_error", {"prompt_id": job.id, **self.error}])
            else:
                outputs = {"4": {"images": self._save(job)}}
                messages.append(["execution_success", {"prompt_id": job.id}])
            is_good = bool(outputs)
            status = {"status_str": "success" if is_good else "error", "completed": is_good, "messages": messages}
            self.history[job.id] = {"prompt": job.item, "outputs": outputs, "status": status, "meta": {}}
            self.running, self.error, self.images = None, None, None
            await self.tell(job, "executing", {"node": None, "prompt_id": job.id})
            self.ended.set()

    async def _draw(self, job: Job) -> bool:
        """Whether it was interrupted."""
        await self.tell(job, "execution_start", {"prompt_id": job.id})
        await self.tell(job, "executing", {"node": "2", "prompt_id": job.id})
        for step in range(1, STEPS + 1):
            await self.tell(job, "progress", {"value": step, "max": STEPS, "prompt_id": job.id, "node": "2"})
            await self.preview(job, picture(step, "JPEG"))
            if step == STEPS // 2:
                await self._until_told()
            if self._interrupted.is_set():
                return True
        return False

    async def _until_told(self) -> None:
        """To go on or to stop."""
        waiting = [asyncio.create_task(event.wait()) for event in (self.go, self._interrupted)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _save(self, job: Job) -> list[dict[str, str]]:
        if self.images is not None:
            return self.images
        prefix = job.inputs("SaveImage")[0]["filename_prefix"]
        subfolder, _, name = prefix.rpartition("/")
        images = []
        for number in range(job.pictures):
            image = {"filename": f"{name}_{number:05}_.png", "subfolder": subfolder, "type": "output"}
            self.files[f"output/{subfolder}/{image['filename']}"] = picture(number)
            images.append(image)
        return images

    async def tell(self, job: Job, type_: str, data: dict[str, Any]) -> None:
        if socket := self.sockets.get(job.client_id):
            await socket.send(Opcode.TEXT, json.dumps({"type": type_, "data": data}).encode())

    async def preview(self, job: Job, content: bytes) -> None:
        if socket := self.sockets.get(job.client_id):
            if socket.wants_metadata:
                metadata = json.dumps({"node_id": "2", "prompt_id": job.id, "image_type": "image/jpeg"}).encode()
                frame = struct.pack(">II", 4, len(metadata)) + metadata + content
            else:
                frame = struct.pack(">II", 1, 1) + content
            await socket.send(Opcode.BINARY, frame)


class ComfyServer(Server):
    """Looking an id up before the first order is `looked`, not `asked`: the contract counts from the order on."""

    def __init__(self, comfyui: ComfyUI) -> None:
        super().__init__(comfyui.respond)
        self.looked: list[Asked] = []
        self._comfyui = comfyui

    async def _carry(self, wire: _Wire) -> None:
        self._open += 1
        try:
            while (asked := await wire.next_request()) is not None:
                is_order = asked.method == "POST" and asked.path == "/prompt"
                (self.asked if self.asked or is_order else self.looked).append(asked)
                await self._tell()
                is_rude = any(on in asked.path for on, _ in self._faults)
                if asked.path == "/ws" and self._comfyui.takes_sockets and not is_rude:
                    await Socket(self._comfyui, asked, wire).serve()
                    break
                await self._take(Turn(asked, self._respond, wire))
        except (ConnectionError, h11.LocalProtocolError):
            pass  # they have hung up, which is theirs to do
        finally:
            wire.close()
            self._open -= 1
            await self._tell()

    async def tell(self) -> None:
        await self._tell()


class Socket:
    """One WebSocket connection, by `websockets`' own protocol."""

    def __init__(self, comfyui: ComfyUI, asked: Asked, wire: _Wire) -> None:
        self.client_id = asked.query["clientId"]
        self.wants_metadata = False
        self._comfyui = comfyui
        self._reader, self._writer = wire._reader, wire._writer
        self._protocol = ServerProtocol()
        lines = [f"GET /ws?clientId={self.client_id} HTTP/1.1", *(f"{k}: {v}" for k, v in asked.headers.items())]
        self._protocol.receive_data("\r\n".join([*lines, "", ""]).encode())

    async def serve(self) -> None:
        [request] = self._protocol.events_received()
        assert isinstance(request, Request)
        self._protocol.send_response(self._protocol.accept(request))
        await self._flush()
        sockets = self._comfyui.sockets
        try:
            status = {
                "type": "status",
                "data": {"status": {"exec_info": {"queue_remaining": 1}}, "sid": self.client_id},
            }
            await self.send(Opcode.TEXT, json.dumps(status).encode())
            await self._hear()  # its features come first
            sockets[self.client_id] = self
            if (job := self._comfyui.running) is not None and job.client_id == self.client_id:
                await self.send(Opcode.TEXT, json.dumps({"type": "executing", "data": {"node": "2"}}).encode())
            await self._comfyui.server.tell()
            while await self._hear():
                pass
        finally:
            if sockets.get(self.client_id) is self:
                del sockets[self.client_id]

    async def send(self, opcode: Opcode, content: bytes) -> None:
        if opcode is Opcode.TEXT:
            self._protocol.send_text(content)
        else:
            self._protocol.send_binary(content)
        await self._flush()

    def drop(self) -> None:
        self._writer.close()

    async def _hear(self) -> bool:
        data = await self._reader.read(65_536)
        if not data:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                message = json.loads(bytes(event.data))
                if message["type"] == "feature_flags":
                    self.wants_metadata = bool(message["data"].get("supports_preview_metadata"))
        await self._flush()
        return not self._protocol.close_expected()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
        await self._writer.drain()


def refusal(status: int, message: str, node_errors: dict[str, Any] | None = None) -> Told:
    error = {"type": "prompt_outputs_failed_validation", "message": message, "details": "", "extra_info": {}}
    return told({"error": error, "node_errors": node_errors or {}}, status)
