"""What every route states: who may call it, and how it learns who does."""

from litestar.connection import ASGIConnection, Request
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from app.auth.callers import Caller, Callers
from canvas.errors import NotSignedIn

OPEN = {"open": True}
"""`opt` of a route that anybody may call."""

CallerRequest = Request[Caller, None, State]
OpenRequest = Request[Caller | None, None, State]


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the caller on every request; None for nobody. Routes that are not open refuse nobody."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        super().__init__(app, scopes=None)
        self._callers = callers

    async def authenticate_request(self, connection: ASGIConnection) -> AuthenticationResult:  # type: ignore[type-arg]
        if connection.scope["type"] != ScopeType.HTTP or connection.route_handler.opt.get("open"):
            return AuthenticationResult(user=None, auth=None)  # sockets and open routes ask for themselves
        method = str(connection.scope.get("method", "GET"))
        caller = await self._callers.of_request(connection.headers, connection.cookies, method)
        return AuthenticationResult(user=caller, auth=None)


def requires_sign_in(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """On every route unless it says that it is open."""
    if handler.opt.get("open") or connection.scope["type"] == ScopeType.WEBSOCKET:
        return
    if connection.user is None:
        raise NotSignedIn("Sign in first: open a login link, or send “Authorization: Bearer <token>”.")
