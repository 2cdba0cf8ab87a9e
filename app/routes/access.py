"""What every route states: who may call it, and how it learns who does."""

from litestar.connection import ASGIConnection, Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp
from structlog.contextvars import bind_contextvars

from app.auth.callers import SAFE_METHODS, Caller, Callers
from app.auth.rates import RequestRates
from app.compose import Services
from app.observe.metrics import Scrapes
from app.stopping import Stopping
from canvas.errors import Invalid, NotFound, NotSignedIn
from canvas.hub import Hub

MAX_LOGGED_CHARACTERS = 64  # of an id that may be none
OPEN = {"open": True}
"""`opt` of a route that anybody may call."""
UNCOUNTED = {"uncounted": True}
"""`opt` of a route that the page itself asks many times a second: it does not count as a request."""
READS = {"reads": True}
"""`opt` of a POST that changes nothing: tokens that only read may ask it."""
FRESH = {"fresh": True}
"""`opt` of a write that answers with a new secret: not kept for who repeats an Idempotency-Key, and gets a new one."""
TELLS_SECRETS = {"tells_secrets": True}
"""`opt` of a GET whose answer lets its reader do more than read: tokens that only read may not ask it."""

TheServices = NamedDependency[Services]
TheHub = NamedDependency[Hub]
TheStopping = NamedDependency[Stopping]
TheScrapes = NamedDependency[Scrapes]
CallerRequest = Request[Caller, None, State]
OpenRequest = Request[Caller | None, None, State]
AnyConnection = ASGIConnection[BaseRouteHandler, Caller | None, None, State]


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the caller on every request; None for nobody. Routes that are not open refuse nobody."""

    def __init__(self, app: ASGIApp, callers: Callers, rates: RequestRates) -> None:
        super().__init__(app, scopes=None)
        self._callers = callers
        self._rates = rates

    async def authenticate_request(self, connection: AnyConnection) -> AuthenticationResult:
        if connection.scope["type"] == ScopeType.HTTP:
            _refuse_nul(connection)
        if (workflow_id := connection.path_params.get("workflow_id")) is not None:
            bind_contextvars(workflow=str(workflow_id)[:MAX_LOGGED_CHARACTERS])
        if connection.scope["type"] != ScopeType.HTTP or connection.route_handler.opt.get("open"):
            return AuthenticationResult(user=None, auth=None)  # sockets and open routes ask for themselves
        method = str(connection.scope.get("method", "GET"))
        address = connection.client.host if connection.client else None
        self._rates.check_refusals(address)
        try:
            caller = await self._callers.of_request(connection.headers, connection.cookies, method)
        except NotSignedIn:
            await self._rates.count_refusal(address)
            raise
        if caller is not None and caller.via != "admin" and not connection.route_handler.opt.get("uncounted"):
            await self._rates.count_request(caller.account_id)
        if caller is not None:
            bind_contextvars(account=caller.account_id)
            opt = connection.route_handler.opt
            if opt.get("tells_secrets") or (method not in SAFE_METHODS and not opt.get("reads")):
                caller.check_writes()
        return AuthenticationResult(user=caller, auth=None)


async def requires_sign_in(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """On every route unless it says that it is open."""
    if handler.opt.get("open") or connection.scope["type"] == ScopeType.WEBSOCKET:
        return
    if connection.scope["method"] == "OPTIONS":  # says which methods there are; Litestar answers it by itself
        return
    if connection.user is None:
        raise NotSignedIn("Sign in first: open a login link, or send “Authorization: Bearer <token>”.")


def _refuse_nul(connection: AnyConnection) -> None:
    """PostgreSQL's text holds no U+0000, so nothing can be found under one; said once, for every route."""
    if "\0" in connection.scope["path"]:
        raise NotFound("There is nothing at this address.")
    if b"%00" in connection.scope["query_string"]:
        raise Invalid("The character U+0000 cannot be looked for; remove it.", code="NUL_CHARACTER")
