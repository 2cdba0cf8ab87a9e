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
from jobs.calls import Calls
from jobs.cancels import Cancels
from jobs.drain import Drain
from jobs.errors import ImageInvalid, JobError, OutcomeUnknown, ProviderUnavailable, StorageFailed
from jobs.events import Events, RunEvent
from jobs.gate.memory import MemoryGate
from jobs.images.decode import Facts
from jobs.images.variants import Variant
from jobs.keeper import Keeper
from jobs.late_orders import LateOrders
from jobs.late_variants import LateVariants
from jobs.objects.store import Objects, open_objects
from jobs.patience import Patience
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, Progress, PromptSpec, Report, Ticket
from jobs.providers.registry import Registry
from jobs.queue import ArqDoorbell
from jobs.run import ImageJobRecord, PictureUrl, StartImageJobRequest
from jobs.runner import Runner
from jobs.runs import Runs
from jobs.sources import Sources
from jobs.store.bells import BellStore
from jobs.store.calls import CallStore
from jobs.store.claims import Claims
from jobs.store.events import PostgresEvents
from jobs.store.late_orders import LateOrderStore
from jobs.store.late_variants import LateVariantStore
from jobs.store.line import Line
from jobs.store.previews import RedisPreviews
from jobs.store.renders import RenderStore
from jobs.store.runs import RunStore
from jobs.webhooks.addresses import Addresses

STUDIO = Model(id="studio-1", label="Studio", max_images=4, seed=True, previous_image=True)
Script = Callable[[PromptSpec, Report], Awaitable[list[Picture]]]


async def draw(prompt: PromptSpec, report: Report) -> list[Picture]:
    await report(Progress(50, "Half", 1, 2, b"preview"))
    seed = prompt.seed or 0
    return [Picture(b"picture %d" % (seed + number), seed=seed + number) for number in range(prompt.n)]


class ScriptedProvider:
    """Answers by its script, at once or, when `has_tickets`, by way of a ticket. Knows what it was asked."""

    id = "local"
    missing_setting: str | None = None
    credential = "key"
    result_hosts = frozenset({"cdn.example"})
    own_origin: str | None = None

    def __init__(self) -> None:
        self.models = (STUDIO,)
        self.script: Script = draw
        self.is_paid = False
        self.has_tickets = False
        self.price_usd: float | None = 0.0
        self.limits = Limits()
        self.unsure: JobError | None = None
        """What `find` raises; None: it says what is true."""
        self.orders: list[Order] = []
        """Those that were accepted."""
        self.told: list[str] = []
        """Jobs that were to be stopped."""
        self.deaf_to_cancels = 0
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.was_cancelled = False

    @property
    def prompts(self) -> list[PromptSpec]:
        return [order.prompt for order in self.orders]

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        return Plan((), None if self.price_usd is None else self.price_usd * prompt.n)

    async def submit(self, order: Order) -> Answer | Ticket:
        self.orders.append(order)  # each one is worked on: the same id twice is paid for twice
        if self.has_tickets:
            return Ticket(f"job-{order.id}")
        return self._answer(await self.script(order.prompt, order.report))

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        assert ticket.id == f"job-{order.id}"
        return self._answer(await self.script(order.prompt, order.report))

    async def find(self, order: Order) -> Ticket | None:
        if self.unsure is not None:
            raise self.unsure
        was_accepted = order.id in {one.id for one in self.orders}
        if was_accepted and not self.has_tickets and self.is_paid:
            raise OutcomeUnknown("Nobody knows what became of it.")
        return Ticket(f"job-{order.id}") if was_accepted and self.has_tickets else None

    async def cancel(self, ticket: Ticket) -> None:
        if self.deaf_to_cancels:
            self.deaf_to_cancels -= 1
            raise ProviderUnavailable("Easel cannot reach it.")
        self.told.append(ticket.id)

    def _answer(self, pictures: list[Picture]) -> Answer:
        return Answer(tuple(pictures), self.price_usd and self.price_usd * len(pictures))

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
    """Takes any bytes for a PNG of 64x32, but for `broken`. The next `refusals` get no small sizes."""

    refusals = 0

    async def inspect(self, content: bytes) -> Facts:
        if content == b"broken":
            raise ImageInvalid("The picture ends before it is complete.")
        return Facts("image/png", "png", 64, 32, 1, False, hashlib.sha256(content).hexdigest(), len(content))

    async def quarters(self, content: bytes) -> list[bytes]:
        return [content + b" quarter %d" % place for place in range(4)]

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]:
        if self.refusals:
            self.refusals -= 1
            raise ImageInvalid("The picture takes longer than 30 s to decode. Export it smaller.")
        return [
            Variant("thumbnail", b"thumbnail of " + content, 300, 300),
            Variant("icon", b"icon of " + content, 128, 128),
            Variant("display", b"display of " + content + watermark.encode(), 64, 32),
        ]


class ScriptedDownloads:
    """Everything is there, but for the next `failures`."""

    def __init__(self) -> None:
        self.failures: list[JobError] = []
        self.fetched: list[str] = []

    async def fetch(self, url: str, *, hosts: frozenset[str] | None, own_origin: str | None = None) -> bytes:
        self.fetched.append(url)
        if self.failures:
            raise self.failures.pop(0)
        return b"picture at " + url.encode()


class Killed(BaseException):
    """The worker is no more: nothing of ours may catch it."""


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
        self.downloads = ScriptedDownloads()
        self.now = 0.0
        """The gate's clock."""
        self.gate = MemoryGate(lambda: self.now)
        self.patience = Patience(first_s=0.2)
        picture_url = PictureUrl()
        self.store = RunStore(database, self.relay)
        self.claims = Claims(database, self.relay, picture_url)
        self.call_store = CallStore(database, self.relay)
        self.bells = BellStore(database, ArqDoorbell(redis))
        self.registry = Registry([self.provider])
        self.events = Events(PostgresEvents(database), self.relay)
        self.renders = RenderStore(database, picture_url)
        self.previews = RedisPreviews(redis)
        self.keeper = Keeper(self.pictures, self.objects, self.downloads, self.patience, self._sleep)
        self.sources = Sources(self.renders, self.keeper, self.pictures, ("https://easel.example",))
        self.line = Line(database, redis, self.relay)
        self.runs = self.open_runs(self.bells, self.registry)

    def sell_one_at_a_time(self) -> None:
        """A run of several pictures becomes several orders."""
        self.provider.models = (msgspec.structs.replace(STUDIO, per_call=1),)

    def open_runs(self, bells: BellStore, registry: Registry) -> Runs:
        hosts = frozenset({"easel.example"})
        return Runs(self.store, bells, registry, PictureUrl(), self.gate, self.sources, self.line, hosts)

    def runner(
        self,
        worker: str = "w1",
        lease_s: float = 15.0,
        deadline_s: float = 60.0,
        killed_at: str = "",
        drain: Drain | None = None,
    ) -> Runner:
        """`killed_at`: the point where this worker is no more."""

        async def at(point: str) -> None:
            if point == killed_at:
                raise Killed

        patience = msgspec.structs.replace(self.patience, deadline_s=deadline_s)
        addresses = Addresses(None, "http://127.0.0.1:8000", frozenset())
        return Runner(
            self.claims,
            self.relay,
            registry=self.registry,
            calls=Calls(
                self.call_store, self.relay, self.gate, self.keeper, addresses, patience, at, drain, self._sleep
            ),
            keeper=self.keeper,
            sources=self.sources,
            previews=self.previews,
            worker=worker,
            lease_s=lease_s,
            patience=patience,
            sleep=self._sleep,
        )

    def cancels(self) -> Cancels:
        return Cancels(self.call_store, self.registry, 60.0)

    def late_orders(self) -> LateOrders:
        store = LateOrderStore(self.database, self.relay, PictureUrl())
        return LateOrders(store, self.registry, self.keeper, follow_s=5.0)

    def late_variants(self) -> LateVariants:
        return LateVariants(LateVariantStore(self.database, self.relay, PictureUrl()), self.keeper)

    async def _sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)

    # Shorthands

    async def start(
        self,
        *,
        node: str = "n1",
        replace: bool = False,
        n: int = 1,
        seed: int | None = 7,
        previous_image: str | None = None,
    ) -> ImageJobRecord:
        prompt = PromptSpec(base_prompt="a fox", seed=seed, n=n, previous_image=previous_image)
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

    async def let_wait_run_out(self) -> None:
        """For runs that were put off: their time has come."""
        await self.database.execute("UPDATE runs SET run_after = now() - interval '1 s' WHERE status = 'pending'")

    async def let_late_be_due(self) -> None:
        """Orders to be looked for and small sizes to be made: their time has come."""
        await self.database.execute("UPDATE provider_calls SET look_at = now() WHERE look_at IS NOT NULL")
        await self.database.execute("UPDATE renders SET variants_at = now() WHERE variants_at IS NOT NULL")

    async def call_states(self) -> list[str]:
        rows = await self.database.fetch("SELECT state FROM provider_calls ORDER BY attempt, number")
        return [row["state"] for row in rows]

    async def until_status(self, run_id: str, status: str) -> None:
        async with aclosing(self.events.follow(run_id)) as events:
            async for event in events:
                if event.body.data and event.body.data.get("status") == status:
                    return

    async def story(self, run_id: str) -> list[str]:
        """What the run's stored events say, progress and the steps of single orders left out."""
        events = await self.events.list_events(run_id)
        return [_line(event) for event in events if event.body.kind != "progress" and not _is_of_an_order(event)]

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def _is_of_an_order(event: RunEvent) -> bool:
    return "order" in (event.body.data or {})


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
