"""`easel serve`: the HTTP and WebSocket server."""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Response
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler

from app.compose import Services, open_services
from app.edge import Edge
from app.fast_socket import Connection
from app.idempotency import Idempotency, KeptAnswers
from app.observe.metrics import Scrapes
from app.openapi import describe
from app.problems import HANDLERS, MAX_BODY_BYTES, AnyRequest
from app.routes.access import Authentication, requires_sign_in
from app.routes.accounts import AccountsController
from app.routes.artworks import ArtworksController
from app.routes.batches import BatchesController
from app.routes.graph import EdgesController, NodesController
from app.routes.health import HealthController
from app.routes.metrics import MetricsController
from app.routes.notices import FailureWebhookController, NoticesController
from app.routes.objects import LinksController, ObjectsController
from app.routes.page import on_unknown_address, page_routes
from app.routes.renders import RendersController
from app.routes.rooms import room
from app.routes.runs import ProvidersController, RunsController, WorkflowEventsController
from app.routes.schema import schema_routes
from app.routes.sharing import ShareLinksController, SharingController
from app.routes.usage import UsageController
from app.routes.versions import VersionsController
from app.routes.webhooks import WebhooksController
from app.routes.workflows import WorkflowsController
from app.settings import Settings, SettingsError
from app.slow_requests import Requests
from app.stopping import Stopping
from app.sweeper import keep_ending_shares, keep_looking_at, keep_sweeping
from canvas.hub import Hub, LiveRuns, open_hub
from canvas.protocol import MAX_MESSAGE_BYTES
from jobs.errors import StorageFailed

log = structlog.get_logger(__name__)

GRACE_S = 2  # what streams and sockets have to end in after SIGTERM
BACKLOG = 2048

API: list[ControllerRouterHandler] = [
    AccountsController,
    WorkflowsController,
    SharingController,
    ShareLinksController,
    VersionsController,
    NodesController,
    EdgesController,
    WorkflowEventsController,
    RunsController,
    BatchesController,
    ProvidersController,
    RendersController,
    UsageController,
    FailureWebhookController,
    NoticesController,
    WebhooksController,
    ArtworksController,
    LinksController,
    ObjectsController,
    HealthController,
    MetricsController,
]
INJECTED = ("services", "hub", "stopping", "scrapes")
INJECTED_TYPES = (Services, Hub, Stopping, Scrapes)


@cache
def openapi_document() -> dict[str, Any]:
    """The API described; needs no database."""
    return describe(API, INJECTED, INJECTED_TYPES)


def create_app(services: Services, hub: Hub, stopping: Stopping, store_url: str | None) -> Edge:
    settings = services.settings
    litestar = Litestar(
        route_handlers=[*API, room, *schema_routes(openapi_document), *page_routes()],
        dependencies={
            "services": Provide(_giving(services), sync_to_thread=False),
            "hub": Provide(_giving_next(hub), sync_to_thread=False),
            "stopping": Provide(_giving_next(stopping), sync_to_thread=False),
            "scrapes": Provide(_giving_next(Scrapes(services, hub)), sync_to_thread=False),
        },
        signature_types=INJECTED_TYPES,
        middleware=[
            DefineMiddleware(Authentication, callers=services.callers, rates=services.rates),
            DefineMiddleware(Idempotency, answers=KeptAnswers(services.database)),  # type: ignore[arg-type]  # ours is plain ASGI
        ],
        guards=[requires_sign_in],
        before_request=_say_methods,
        exception_handlers=HANDLERS | {NotFoundException: on_unknown_address},  # type: ignore[arg-type]  # each takes the one exception it is listed for
        request_max_body_size=MAX_BODY_BYTES,
        cors_config=_cors(settings),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    app: Any = litestar  # its ASGI types are its own
    return Edge(app, base_url=settings.base_url, cdn_url=settings.cdn_url, store_url=store_url)


async def _say_methods(request: AnyRequest) -> Response[None] | None:  # not async, Litestar runs it in a thread
    """OPTIONS. Litestar's own answer knows the methods that were there when it came upon the path first."""
    if request.method != "OPTIONS":
        return None
    path = request.scope["path_template"]
    methods = {method for route in request.app.routes if route.path_format == path for method in route.methods}
    return Response(None, status_code=204, headers={"Allow": ", ".join(sorted(methods))}, media_type="text/plain")


def _giving(value: Any) -> Callable[[], Any]:
    return lambda: value


def _giving_next(value: Any) -> Callable[[Services], Any]:
    """After `services`. What depends on nothing is given side by side, by a task each: dearer than many a request."""

    def give(services: Services) -> Any:  # noqa: ARG001 - what makes it the next
        return value

    return give


def _cors(settings: Settings) -> CORSConfig | None:
    """Other origins send tokens, never this origin's cookie."""
    if not settings.allowed_origins:
        return None
    return CORSConfig(
        allow_origins=list(settings.allowed_origins),
        allow_headers=[
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "last-event-id",
        ],
        expose_headers=["easel-seq", "etag", "idempotency-replayed", "location", "retry-after", "x-request-id"],
        max_age=600,
    )


class Server(uvicorn.Server):
    """Says that it is stopping before it waits for its connections: streams and sockets end only when told."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping, hub: Hub, url: str, delay_s: float) -> None:
        super().__init__(config)
        self._url = url
        self._stopping = stopping
        self._hub = hub
        self._delay_s = delay_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again at the end, which would kill us before the pools are closed."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM goes on for a while without being ready, so that load balancers look elsewhere first; any other
        signal, or a second one, ends it at once."""
        if sig == signal.SIGTERM and self._delay_s and not self._stopping.is_leaving:
            self._stopping.is_leaving = True
            log.info("server.leaving", seconds=self._delay_s)
            asyncio.get_running_loop().call_later(self._delay_s, self._end, sig, frame)
        else:
            self._end(sig, frame)

    def _end(self, sig: int, frame: FrameType | None) -> None:
        if not self._stopping.event.is_set():
            self._stopping.is_leaving = True
            self._stopping.event.set()
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Ready is said when signals are heard, too."""
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("server.ready", url=self._url, listening="{}:{}".format(*listener.getsockname()[:2]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.say_goodbye()
        await super().shutdown(sockets)


def _collect_seldom() -> None:
    """Cycles are few here, and a look at every object there is holds all rooms up for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def serve(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C. Raises SettingsError when the port is taken."""
    listener = listen(settings)
    if settings.listen is None:
        settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])  # port 0 has become a real one
    async with (
        open_services(settings) as services,
        open_hub(services.documents, services.relay, services.workflows.roles_of, live_runs(services)) as hub,
    ):
        stopping = Stopping()
        config = uvicorn.Config(
            create_app(services, hub, stopping, await _store_url(services)),
            loop="uvloop",
            http=Requests,
            ws=Connection,
            ws_max_size=2 * MAX_MESSAGE_BYTES,  # ours is the smaller limit, with a close code that says what is wrong
            ws_ping_interval=20,
            ws_ping_timeout=20,
            ws_per_message_deflate=False,  # uvicorn's would compress each frame once for every receiver
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
        )
        server = Server(config, stopping, hub, settings.base_url, settings.shutdown_delay_seconds)
        _collect_seldom()
        sweeping = {
            asyncio.create_task(keep_sweeping(services.database)),
            asyncio.create_task(keep_ending_shares(services.shares, services.relay)),
            asyncio.create_task(keep_looking_at(services.proofs)),
        }
        try:
            await server.serve(sockets=[listener])
        finally:
            for task in sweeping:
                task.cancel()
            await asyncio.wait(sweeping)


async def _store_url(services: Services) -> str | None:
    """Where pages may send uploads to. None: only to us."""
    try:
        return await services.objects.signed_beginning()
    except StorageFailed as error:
        log.warning("storage.does_not_sign", reason=error.detail)
        return None


def live_runs(services: Services) -> LiveRuns:
    """What `welcome` says is under way. The canvas knows runs only as frames."""

    async def of_workflow(workflow_id: str) -> list[dict[str, Any]]:
        return [frame.as_json() for frame in await services.runs.live(workflow_id)]

    return of_workflow


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises SettingsError, with what to do, when it cannot be had."""
    host, port = settings.listens_at
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        names = ("EASEL_PORT", "EASEL_HOST") if settings.listen is None else ("EASEL_LISTEN", "EASEL_LISTEN")
        is_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
        cure = f"Set {names[0]} to another one." if is_port else f"Set {names[1]} to an address of this machine."
        raise SettingsError(f"Cannot listen on {host}:{port} ({error.strerror}). {cure}") from error
    listener.setblocking(False)
    return listener


def run(settings: Settings) -> None:
    import uvloop  # noqa: PLC0415

    uvloop.run(serve(settings))
