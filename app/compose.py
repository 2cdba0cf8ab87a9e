"""The composition root: settings in, what a process works with out. Opens from the ground up, closes in reverse."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import httpx
from redis.asyncio import Redis

from app.auth.accounts import Accounts
from app.auth.callers import Callers
from app.auth.issuer import Issuer
from app.auth.proofs import Proofs
from app.auth.rates import RequestRates
from app.database import open_database
from app.providers import registry_of, report_senders
from app.settings import Settings, SettingsError, masked
from canvas.relay.redis import RedisRelay, open_relay
from canvas.store.access_events import AccessEvents
from canvas.store.postgres import Pool, PostgresStore, reaching_the_database
from canvas.store.shares import Shares
from canvas.store.versions import Versions
from canvas.store.workflows import Workflows
from jobs.artworks import Artworks
from jobs.batches import Batches
from jobs.downloads import Downloads
from jobs.events import Events
from jobs.gate.redis import RedisGate
from jobs.guarded import GuardedClient
from jobs.images.decode import Limits
from jobs.images.sandbox import PictureWorkers
from jobs.imports import Imports
from jobs.keeper import Keeper
from jobs.metrics import expect as expect_counts
from jobs.notices import Destination, Notices
from jobs.objects.links import Links
from jobs.objects.store import Objects, open_objects
from jobs.originals import Originals
from jobs.patience import Patience
from jobs.providers.http import open_http
from jobs.providers.registry import SETTINGS as PROVIDERS
from jobs.providers.registry import Registry
from jobs.queue import ArqDoorbell
from jobs.run import PictureUrl
from jobs.runs import Runs
from jobs.sources import Sources
from jobs.store.artworks import ArtworkStore
from jobs.store.batches import BatchStore
from jobs.store.bells import BellStore
from jobs.store.costs import CostStore
from jobs.store.events import PostgresEvents
from jobs.store.imports import ImportStore
from jobs.store.line import Line
from jobs.store.notices import NoticeStore
from jobs.store.objects import ObjectRows
from jobs.store.previews import RedisPreviews
from jobs.store.quotas import Limits as Quotas
from jobs.store.renders import RenderStore
from jobs.store.runs import RunStore
from jobs.store.uploads import UploadStore
from jobs.sweep import Sweep
from jobs.webhooks.inbox import Inbox
from jobs.webhooks.reception import Reception


class Services(NamedTuple):
    """What both processes share. The server adds its hub, the worker its runner."""

    settings: Settings
    database: Pool
    redis: Redis
    relay: RedisRelay
    documents: PostgresStore
    workflows: Workflows
    shares: Shares
    access_events: AccessEvents
    versions: Versions
    accounts: Accounts
    callers: Callers
    proofs: Proofs
    rates: RequestRates
    objects: Objects
    links: Links
    artworks: Artworks
    originals: Originals
    sweep: Sweep
    pictures: PictureWorkers
    picture_url: PictureUrl
    previews: RedisPreviews
    registry: Registry
    run_store: RunStore
    bells: BellStore
    line: Line
    runs: Runs
    batches: Batches
    import_store: ImportStore
    imports: Imports
    events: Events
    renders: RenderStore
    gate: RedisGate
    keeper: Keeper
    sources: Sources
    costs: CostStore
    notices: Notices
    webhooks: Reception


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Raises SettingsError for a database that cannot be reached, SchemaError for one that is not migrated."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        redis = await stack.enter_async_context(_open_redis(settings))
        relay = await stack.enter_async_context(open_relay(redis))
        pictures = await stack.enter_async_context(PictureWorkers(os.cpu_count() or 1, _limits(settings)))
        picture_url = PictureUrl(settings.cdn_url or "")
        gate = RedisGate(redis)
        http = await stack.enter_async_context(open_http())
        registry = registry_of(settings, pictures, http)
        expect_counts(PROVIDERS)
        run_store = RunStore(database, relay, limits_of(settings))
        renders = RenderStore(database, picture_url)
        bells = BellStore(database, ArqDoorbell(redis))
        objects = open_storage(settings)
        links = Links(objects, await link_secret(database))
        artworks = _artworks(settings, database, objects, pictures, links)
        keeper = Keeper(pictures, objects, Downloads(private_hosts=settings.allow_private_hosts), patience_of(settings))
        import_store = ImportStore(database, relay, picture_url)
        sources = Sources(renders, keeper, pictures, own_addresses(settings))
        line = Line(database, redis, relay)
        runs = Runs(run_store, bells, registry, picture_url, gate, sources, line, own_hosts(settings))
        yield Services(
            settings=settings,
            database=database,
            redis=redis,
            relay=relay,
            documents=PostgresStore(database),
            workflows=Workflows(database),
            shares=Shares(database),
            access_events=AccessEvents(database),
            versions=Versions(database),
            accounts=Accounts(database),
            callers=Callers(database, settings.admin_token, settings.origins, _issuer(settings, http)),
            proofs=Proofs(database),
            rates=RequestRates(redis, settings.requests_per_minute),
            objects=objects,
            links=links,
            artworks=artworks,
            originals=Originals(ObjectRows(database), objects),
            sweep=Sweep(objects, ObjectRows(database)),
            pictures=pictures,
            picture_url=picture_url,
            previews=RedisPreviews(redis),
            registry=registry,
            run_store=run_store,
            bells=bells,
            line=line,
            runs=runs,
            batches=Batches(BatchStore(database), run_store, import_store, runs, picture_url),
            import_store=import_store,
            imports=Imports(import_store),
            events=Events(PostgresEvents(database), relay),
            renders=renders,
            gate=gate,
            keeper=keeper,
            sources=sources,
            costs=CostStore(database),
            notices=_notices(settings, database),
            webhooks=Reception(Inbox(database, relay), report_senders(settings, http)),
        )


def _artworks(settings: Settings, database: Pool, objects: Objects, pictures: PictureWorkers, links: Links) -> Artworks:
    store = ArtworkStore(database, PictureUrl(settings.cdn_url or ""), settings.artwork_limit)
    return Artworks(store, UploadStore(database), objects, pictures, links, settings.max_upload_bytes)


def _notices(settings: Settings, database: Pool) -> Notices:
    operator = Destination(settings.notice_url, settings.notice_secret) if settings.notice_url else None
    return Notices(
        NoticeStore(database),
        GuardedClient(),
        base_url=settings.base_url,
        operator=operator,
    )


@asynccontextmanager
async def _open_redis(settings: Settings) -> AsyncIterator[Redis]:
    """Connects when it is first used: without Redis, edits are still saved and told (decision D6)."""
    if settings.redis_url is None:
        raise SettingsError("EASEL_REDIS_URL is not set. `easel up` brings its own; other commands need it.")
    try:
        redis = Redis.from_url(settings.redis_url, socket_connect_timeout=2, health_check_interval=15)
    except ValueError as error:
        raise SettingsError(f"EASEL_REDIS_URL is no Redis URL ({error}).") from error
    try:
        yield redis
    finally:
        await redis.aclose()


async def link_secret(database: Pool) -> bytes:
    """What all servers on this database sign links with."""
    async with reaching_the_database():
        secret: bytes = await database.fetchval("SELECT secret FROM link_secrets")
    return secret


def open_storage(settings: Settings) -> Objects:
    """Raises SettingsError for a folder that cannot be made, Invalid for a URL that names no store."""
    try:
        return open_objects(settings.storage)
    except OSError as error:
        shown = masked("EASEL_STORAGE_URL", settings.storage)
        raise SettingsError(
            f"Pictures cannot be kept at {shown} ({error.strerror}): "
            "set EASEL_DATA_DIR or EASEL_STORAGE_URL to a folder of your own."
        ) from error


def patience_of(settings: Settings) -> Patience:
    return Patience(
        calls=settings.call_attempts,
        steps=settings.step_attempts,
        first_s=settings.retry_seconds,
        rate_limit_s=settings.rate_limit_seconds,
        deadline_s=settings.run_deadline_seconds,
    )


def limits_of(settings: Settings) -> Quotas:
    return Quotas(
        runs_per_day=settings.runs_per_day,
        live_runs=settings.live_runs,
        budget_usd=settings.budget_usd_per_day,
        assumed_price_usd=settings.assumed_price_usd,
    )


def _issuer(settings: Settings, http: httpx.AsyncClient) -> Issuer | None:
    if settings.jwt_issuer is None:
        return None
    return Issuer(
        settings.jwt_issuer,
        settings.jwt_audience,
        keys_url=settings.jwt_jwks_url,
        secret=settings.jwt_secret,
        http=http,
    )


def own_hosts(settings: Settings) -> frozenset[str]:
    """Where a run's `webhookUrl` may lead."""
    return frozenset(host.lower() for host in settings.webhook_hosts)


def own_addresses(settings: Settings) -> tuple[str, ...]:
    """What our own pictures' URLs may begin with."""
    return tuple(url for url in (settings.public_url, settings.base_url, settings.cdn_url) if url)


def _limits(settings: Settings) -> Limits:
    return Limits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
