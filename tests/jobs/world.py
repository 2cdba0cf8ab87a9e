"""An account, a workflow of two nodes, all that carries runs, and scripted stand-ins for provider and decoder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis

from canvas.relay.memory import MemoryRelay
from canvas.relay.port import Hint
from canvas.store.postgres import Pool
from jobs.errors import ImageInvalid, StorageFailed
from jobs.events import Events, RunEvent
from jobs.images.decode import Facts
from jobs.images.variants import Variant
from jobs.objects.store import Objects, open_objects
from jobs.providers.port import Model, Picture, Progress, PromptSpec, Report
from jobs.providers.registry import Registry
from jobs.queue import ArqDoorbell
from jobs.run import ImageJobRecord, PictureUrl, StartImageJobRequest
from jobs.runner import Runner
from jobs.runs import Runs
from jobs.store.bells import BellStore
from jobs.store.events import PostgresEvents
from jobs.store.previews import RedisPreviews
from jobs.store.renders import RenderStore
from jobs.store.runs import RunStore

STUDIO = Model(id="studio-1", label="Studio", max_images=4, seed=True)
Script = Callable[[PromptSpec, Report], Awaitable[list[Picture]]]


async def draw(prompt: PromptSpec, report: Report) -> list[Picture]:
    await report(Progress(50, "Half", 1, 2, b"preview"))
    seed = prompt.seed or 0
    return [Picture(b"picture %d" % (seed + number), seed + number) for number in range(prompt.n)]


class ScriptedProvider:
    id = "local"
    models = (STUDIO,)
    missing_setting: str | None = None

    def __init__(self) -> None:
        self.script: Script = draw
        self.prompts: list[PromptSpec] = []
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.was_cancelled = False

    async def generate(self, model: Model, prompt: PromptSpec, report: Report) -> list[Picture]:
        self.prompts.append(prompt)
        return await self.script(prompt, report)

    async def wait_and_draw(self, prompt: PromptSpec, report: Report) -> list[Picture]:
        """A script: says that it has started, and goes on when told to."""
        self.started.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return await draw(prompt, report)


class ScriptedPictures:
    """Takes any bytes for a PNG of 64x32, but for `broken`."""

    async def inspect(self, content: bytes) -> Facts:
        if content == b"broken":
            raise ImageInvalid("The picture ends before it is complete.")
        return Facts("image/png", "png", 64, 32, 1, False, hashlib.sha256(content).hexdigest(), len(content))

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]:
        return [
            Variant("thumbnail", b"thumbnail of " + content, 300, 300),
            Variant("icon", b"icon of " + content, 128, 128),
            Variant("display", b"display of " + content + watermark.encode(), 64, 32),
        ]


class UnsteadyObjects(Objects):
    """Refuses the next `refusals` writes."""

    refusals = 0

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageFailed("Easel could not write the picture store.")
        await super().put(key, content, content_type)


class World:
    def __init__(self, database: Pool, redis: Redis, folder: Path) -> None:
        self.database = database
        self.redis = redis
        self.folder = folder
        self.relay = MemoryRelay()
        self.hints: list[Hint] = []
        self.provider = ScriptedProvider()
        self.pictures = ScriptedPictures()
        self.objects = UnsteadyObjects(open_objects(str(folder))._store)
        self.slept: list[float] = []
        picture_url = PictureUrl()
        self.store = RunStore(database, self.relay, picture_url)
        self.bells = BellStore(database, ArqDoorbell(redis))
        self.registry = Registry([self.provider])
        self.runs = Runs(self.store, self.bells, self.registry, picture_url, frozenset({"easel.example"}))
        self.events = Events(PostgresEvents(database), self.relay)
        self.renders = RenderStore(database, picture_url)
        self.previews = RedisPreviews(redis)

    def runner(self, worker: str = "w1", lease_s: float = 15.0, deadline_s: float = 60.0) -> Runner:
        return Runner(
            self.store,
            self.relay,
            registry=self.registry,
            pictures=self.pictures,
            objects=self.objects,
            previews=self.previews,
            worker=worker,
            lease_s=lease_s,
            deadline_s=deadline_s,
            sleep=self._sleep,
        )

    async def _sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)

    # Shorthands

    async def start(
        self, *, node: str = "n1", replace: bool = False, n: int = 1, seed: int | None = 7
    ) -> ImageJobRecord:
        prompt = PromptSpec(base_prompt="a fox", seed=seed, n=n)
        return await self.runs.start(StartImageJobRequest(node, "wf", prompt, "local", replace=replace), "ada")

    async def node(self, node_id: str = "n1") -> dict[str, Any]:
        text = await self.database.fetchval(
            "SELECT node_data FROM workflow_nodes WHERE workflow_id = 'wf' AND id = $1", node_id
        )
        data: dict[str, Any] = msgspec.json.decode(text)
        return data

    async def count(self, table: str) -> int:
        found: int = await self.database.fetchval(f"SELECT count(*) FROM {table}")
        return found

    async def let_lease_run_out(self, run_id: str) -> None:
        await self.database.execute("UPDATE runs SET lease_until = now() - interval '1 s' WHERE id = $1", run_id)

    async def until_status(self, run_id: str, status: str) -> None:
        async with aclosing(self.events.follow(run_id)) as events:
            async for event in events:
                if event.body.data and event.body.data.get("status") == status:
                    return

    async def story(self, run_id: str) -> list[str]:
        """What the run's stored events say, progress left out."""
        events = await self.events.list_events(run_id)
        return [_line(event) for event in events if event.body.kind != "progress"]

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def _line(event: RunEvent) -> str:
    status = (event.body.data or {}).get("status")
    return f"{event.body.kind} {status or event.body.message}"


async def open_world(database: Pool, redis: Redis, folder: Path) -> World:
    await database.execute("""
        INSERT INTO accounts (id, name, color) VALUES ('ada', 'Ada', '#a0f'), ('bob', 'Bob', '#0af');
        INSERT INTO workflows (id, name, epoch) VALUES ('wf', 'Foxes', 'e1'), ('other', 'Owls', 'e2');
        INSERT INTO members (workflow_id, account_id, role, may_run)
          VALUES ('wf', 'ada', 'owner', true), ('other', 'bob', 'owner', true);
        INSERT INTO workflow_nodes (workflow_id, id, ord, node_type, node_data, position, fields) VALUES
          ('wf', 'n1', 1, 'image_generation', '{"prompt":"a fox"}', '{"x":0,"y":0}', '{}'),
          ('wf', 'n2', 2, 'image_generation', '{}', '{"x":9,"y":0}', '{}'),
          ('other', 'n1', 1, 'image_generation', '{}', '{"x":0,"y":0}', '{}');
    """)
    world = World(database, redis, folder)
    await world.relay.subscribe("wf", world.hints.append)
    return world
