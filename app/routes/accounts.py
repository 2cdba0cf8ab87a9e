"""/login, /api/me, /api/logout, /api/tickets: coming in, being somebody, going."""

from datetime import UTC, datetime, timedelta

import msgspec
from litestar import Controller, Response, get, patch, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery, JSONBody
from litestar.response import Redirect

from app.auth.accounts import Account
from app.auth.login_links import sign_in
from app.auth.sessions import COOKIE, SESSION_DAYS, end_all_sessions, end_session
from app.auth.tokens import TICKET_SECONDS, mint_ticket
from app.routes.access import FRESH, OPEN, READS, CallerRequest, OpenRequest, TheServices
from app.routes.page import on_refused_link
from canvas.errors import EaselError


class ChangeMe(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    color: str | None = None


class Ticket(msgspec.Struct, rename="camel"):
    ticket: str
    expires_at: datetime


class AccountsController(Controller):
    tags = ("accounts",)

    @get(
        "/login",
        opt=OPEN,
        operation_id="login",
        include_in_schema=False,
        exception_handlers={EaselError: on_refused_link},
    )
    async def login(self, services: TheServices, request: OpenRequest, token: FromQuery[str] = "") -> Redirect:
        """Use a login link up and go to the page."""
        await services.rates.count_link(request.client.host if request.client else None)
        secret = await sign_in(services.database, token)
        if (before := request.cookies.get(COOKIE)) is not None:  # a browser has one session: no old one stays behind
            await end_session(services.database, before)
        cookie = session_cookie(secret, secure=services.settings.is_https)
        return Redirect("/", status_code=303, cookies=[cookie], headers={"Cache-Control": "no-store"})

    @get("/api/me", operation_id="getMe")
    async def me(self, services: TheServices, request: CallerRequest) -> Account:
        """Who you are."""
        return await services.accounts.get(request.user.account_id)

    @patch("/api/me", operation_id="changeMe")
    async def change_me(self, services: TheServices, request: CallerRequest, data: JSONBody[ChangeMe]) -> Account:
        """Change your name or the color of your cursor."""
        return await services.accounts.change(request.user.account_id, name=data.name, color=data.color)

    @post("/api/tickets", opt=READS | FRESH, operation_id="createTicket", status_code=201)
    async def ticket(self, services: TheServices, request: CallerRequest) -> Ticket:
        """A one-use secret for `?ticket=` of a WebSocket, good for a minute."""
        caller = request.user
        secret = await mint_ticket(
            services.database,
            caller.account_id,
            caller.expires_at,
            caller.proof,
            is_read_only=caller.is_read_only,
        )
        return Ticket(secret, datetime.now(UTC) + timedelta(seconds=TICKET_SECONDS))

    @post("/api/logout", operation_id="logout", status_code=204)
    async def logout(self, services: TheServices, request: CallerRequest) -> Response[None]:
        """End this browser's session."""
        secret = request.cookies.get(COOKIE)
        if secret:
            await end_session(services.database, secret)
        return _signed_out()

    @post("/api/logout-everywhere", operation_id="logoutEverywhere", status_code=204)
    async def logout_everywhere(self, services: TheServices, request: CallerRequest) -> Response[None]:
        """End all your sessions, in every browser; their sockets and streams close within a second. Tokens stay."""
        await end_all_sessions(services.database, request.user.account_id)
        return _signed_out()


def _signed_out() -> Response[None]:
    gone = Cookie(key=COOKIE, path="/", max_age=0, httponly=True, samesite="lax")
    return Response(None, status_code=204, cookies=[gone])


def session_cookie(secret: str, *, secure: bool) -> Cookie:
    days = timedelta(days=SESSION_DAYS)
    return Cookie(
        key=COOKIE,
        value=secret,
        path="/",
        max_age=round(days.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=secure,
    )
