"""The whole way with nothing scripted: queue, worker, built-in provider, decoder, store, relay through Redis."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from redis.asyncio import Redis

from canvas.relay.port import Hint, RunsHint
from canvas.relay.redis import open_relay
from canvas.store.postgres import Pool
from jobs.calls import Calls
from jobs.downloads import Downloads
from jobs.events import Events
from jobs.gate.redis import RedisGate
from jobs.images.sandbox import PictureWorkers
from jobs.keeper import Keeper
from jobs.objects.store import open_objects
from jobs.patience import Patience
from jobs.providers.local import LocalProvider
from jobs.providers.port import PromptSpec
from jobs.providers.registry import Registry
from jobs.queue import ArqDoorbell, answer_bells
from jobs.run import PictureUrl, StartImageJobRequest
from jobs.runner import Runner
from jobs.runs import Runs
from jobs.sources import Sources
from jobs.store.bells import BellStore
from jobs.store.calls import CallStore
from jobs.store.claims import Claims
from jobs.store.events import PostgresEvents
from jobs.store.line import Line
from jobs.store.previews import RedisPreviews
from jobs.store.renders import RenderStore
from jobs.store.runs import RunStore
from jobs.webhooks.addresses import Addresses
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def test_a_prompt_becomes_a_picture(world: World, database: Pool, redis: Redis, tmp_path: Path) -> None:
    """JB3, JB8, JB16, JB18, JB20"""
    stopping, hints = asyncio.Event(), list[Hint]()
    objects = open_objects(str(tmp_path / "pictures"))
    async with open_relay(redis) as relay, PictureWorkers() as pictures:
        registry = Registry([LocalProvider(pictures, pace_s=0.0)])
        bells, gate, patience = BellStore(database, ArqDoorbell(redis)), RedisGate(redis), Patience()
        keeper = Keeper(pictures, objects, Downloads(), patience)
        sources = Sources(RenderStore(database, PictureUrl()), keeper, pictures)
        runs = Runs(
            RunStore(database, relay), bells, registry, PictureUrl(), gate, sources, Line(database, redis, relay)
        )
        events, previews = Events(PostgresEvents(database), relay), RedisPreviews(redis)
        addresses = Addresses(None, "http://127.0.0.1:8000", frozenset())
        runner = Runner(
            Claims(database, relay, PictureUrl()),
            relay,
            registry=registry,
            calls=Calls(CallStore(database, relay), relay, gate, keeper, addresses, patience),
            keeper=keeper,
            sources=sources,
            previews=previews,
            worker="w1",
        )
        await relay.subscribe("wf", hints.append)
        worker = asyncio.create_task(answer_bells(redis, runner.carry, concurrency=2, stopping=stopping))
        prompt = PromptSpec(base_prompt="a fox at sunset", size="320x200", seed=4)
        record = await runs.start(StartImageJobRequest("n1", "wf", prompt, "local"), "ada")
        async with aclosing(events.follow(record.job_id)) as following:
            seen = [event async for event in following]
        stopping.set()
        await worker

        assert seen[-1].body.data is not None
        assert seen[-1].body.data["status"] == "completed"
        assert any(event.body.kind == "progress" for event in seen)
        frames = [run for hint in hints if isinstance(hint, RunsHint) for run in hint.runs]
        assert any("previewUrl" in frame for frame in frames)
        assert await previews.read(record.job_id) is not None

    for folder, size in (
        ("originals", (320, 200)),
        ("thumbnails", (300, 300)),
        ("icons", (128, 128)),
        ("display", (320, 200)),
    ):
        (path,) = (tmp_path / "pictures" / folder / "ada").iterdir()
        assert Image.open(BytesIO(path.read_bytes())).size == size
    done = await runs.get(record.job_id)
    assert (await world.node())["imageUrl"] == done.image_url
