"""`easel serve`: the HTTP and WebSocket server."""

import socket
from types import FrameType
from typing import Any

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Response
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig

from app.compose import Services, open_services
from app.problems import HANDLERS
from app.routes.access import Authentication, requires_sign_in
from app.routes.accounts import AccountsController
from app.routes.graph import GraphController
from app.routes.health import HealthController
from app.routes.objects import ObjectsController
from app.routes.page import page_routes
from app.routes.rooms import room
from app.routes.runs import ProvidersController, RendersController, RunsController, WorkflowEventsController
from app.routes.workflows import WorkflowsController
from app.settings import Settings, SettingsError
from app.stopping import Stopping
from app.version import VERSION
from canvas.hub import Hub, LiveRuns, open_hub
from canvas.protocol import MAX_MESSAGE_BYTES

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 32 << 20  # an import; a node has its own, smaller limit
GRACE_S = 2  # what streams and sockets have to end in after SIGTERM
BACKLOG = 2048

# React Flow places nodes with style attributes set by script, which CSP does not count as inline.
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob: {cdn}; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def create_app(services: Services, hub: Hub, stopping: Stopping) -> Litestar:
    settings = services.settings
    policy = _PAGE_POLICY.format(cdn=settings.cdn_url or "").replace(" ;", ";")

    def guarded(response: Response[object]) -> Response[object]:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return Litestar(
        route_handlers=[
            AccountsController,
            WorkflowsController,
            GraphController,
            WorkflowEventsController,
            RunsController,
            ProvidersController,
            RendersController,
            ObjectsController,
            HealthController,
            room,
            *page_routes(),
        ],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "hub": Provide(lambda: hub, sync_to_thread=False),
            "stopping": Provide(lambda: stopping, sync_to_thread=False),
        },
        signature_types=[Services, Hub, Stopping],
        middleware=[DefineMiddleware(Authentication, callers=services.callers)],
        guards=[requires_sign_in],
        exception_handlers=HANDLERS,  # type: ignore[arg-type]
        after_request=guarded,
        request_max_body_size=MAX_BODY_BYTES,
        cors_config=_cors(settings),
        openapi_config=OpenAPIConfig(title="Easel", version=VERSION, path="/schema"),
        logging_config=None,
        debug=False,
    )


def _cors(settings: Settings) -> CORSConfig | None:
    """Other origins send tokens, never this origin's cookie."""
    if not settings.allowed_origins:
        return None
    return CORSConfig(
        allow_origins=list(settings.allowed_origins),
        allow_headers=["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"],
        expose_headers=["easel-seq", "etag", "location", "retry-after"],
        max_age=600,
    )


class Server(uvicorn.Server):
    """Says that it is stopping before it waits for its connections: streams and sockets end only when told."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping, hub: Hub) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.event.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.say_goodbye()
        await super().shutdown(sockets)


async def serve(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C. Raises SettingsError when the port is taken."""
    listener = listen(settings)
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])  # port 0 has become a real one
    async with (
        open_services(settings) as services,
        open_hub(services.documents, services.relay, services.workflows.roles_of, live_runs(services)) as hub,
    ):
        stopping = Stopping()
        config = uvicorn.Config(
            create_app(services, hub, stopping),
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=2 * MAX_MESSAGE_BYTES,  # ours is the smaller limit, with a close code that says what is wrong
            ws_ping_interval=20,
            ws_ping_timeout=20,
            ws_per_message_deflate=False,  # it would compress each frame once for every receiver
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
        )
        server = Server(config, stopping, hub)
        log.info("server.ready", url=settings.base_url)
        await server.serve(sockets=[listener])


def live_runs(services: Services) -> LiveRuns:
    """What `welcome` says is under way. The canvas knows runs only as frames."""

    async def of_workflow(workflow_id: str) -> list[dict[str, Any]]:
        return [frame.as_json() for frame in await services.runs.live(workflow_id)]

    return of_workflow


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises SettingsError, with what to do, when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"Cannot listen on {where} ({error.strerror}). Set EASEL_PORT to another one.") from error
    listener.setblocking(False)
    return listener


def run(settings: Settings) -> None:
    import uvloop  # noqa: PLC0415

    uvloop.run(serve(settings))
