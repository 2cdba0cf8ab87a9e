"""Who else may come: links that give a role, tokens for another app's users; and /s/{token}, where a link leads."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect

from app.auth import identities
from app.auth.accounts import create as create_account
from app.auth.sessions import open_session
from app.auth.tokens import NewToken, create_workflow_token
from app.compose import Services
from app.routes.access import FRESH, OPEN, TELLS_SECRETS, CallerRequest, OpenRequest, TheServices
from app.routes.accounts import session_cookie
from app.routes.page import on_refused_link
from canvas.errors import EaselError, NotSignedIn
from canvas.relay.port import AccessHint
from canvas.store.access_events import AccessEvent, acting
from canvas.store.postgres import reaching_the_database
from canvas.store.shares import Share, SharedRole
from canvas.store.workflows import add_member
from jobs.pages import DEFAULT_LIMIT, Page, checked_limit, number_of

LONGEST_TOKEN_S = 30 * 24 * 3600
GUEST = "Guest"


class NewShare(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    role: SharedRole
    may_run: bool = False
    """Whether editors who come through it may spend the owner's provider money."""
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class ShareLink(msgspec.Struct, rename="camel"):
    id: str
    url: str
    role: SharedRole
    may_run: bool
    guests: int
    """How many have come in through it."""
    created_at: datetime
    expires_at: datetime | None


class AppUser(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A user of the app that shows this workflow."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=identities.MAX_SUBJECT_CHARACTERS)]
    name: str
    role: SharedRole
    color: str | None = None
    may_run: bool = False
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_TOKEN_S)] = msgspec.field(
        default=3600, name="expiresInS"
    )


class SharingController(Controller):
    path = "/api/workflows/{workflow_id:str}"
    tags = ("sharing",)

    @post("/shares", operation_id="createShare", status_code=201)
    async def create(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], data: JSONBody[NewShare]
    ) -> ShareLink:
        """A link that gives whoever opens it this role, until it expires or is revoked."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        share = await services.shares.create(
            workflow_id, request.user.account_id, data.role, may_run=data.may_run, expires_at=data.expires_at
        )
        return _link(services, share)

    @get("/shares", opt=TELLS_SECRETS, operation_id="listShares")
    async def list_shares(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str]
    ) -> Page[ShareLink]:
        """Links that still let people in, newest first."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        return Page([_link(services, share) for share in await services.shares.live(workflow_id)], None)

    @delete("/shares/{share_id:str}", operation_id="revokeShare", status_code=204)
    async def revoke(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], share_id: FromPath[str]
    ) -> None:
        """Whoever came through this link, and has no other role, is out within a second."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        await services.shares.revoke(workflow_id, share_id, by=request.user.account_id)
        services.relay.publish(workflow_id, AccessHint())

    @get("/access", operation_id="listAccessEvents")
    async def access(
        self,
        services: TheServices,
        request: CallerRequest,
        workflow_id: FromPath[str],
        limit: FromQuery[int] = DEFAULT_LIMIT,
        cursor: FromQuery[str | None] = None,
    ) -> Page[AccessEvent]:
        """Who let whom in, and when, newest first: roles, links and tokens, given, used and taken away."""
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        before = number_of(cursor)
        found = await services.access_events.page(workflow_id, limit=checked_limit(limit), before=before)
        return Page(found, str(found[-1].number) if len(found) == limit else None)

    @post("/tokens", opt=FRESH, operation_id="createWorkflowToken", status_code=201)
    async def token(
        self, services: TheServices, request: CallerRequest, workflow_id: FromPath[str], data: JSONBody[AppUser]
    ) -> NewToken:
        """A token with which one user of your app opens this workflow, from your own pages. Your backend asks for it.

        The same `userId` is the same person each time; the role you name last is the one they have.
        """
        await services.workflows.membership(workflow_id, request.user.account_id, "manage")
        async with reaching_the_database(), services.database.acquire() as connection, connection.transaction():
            await acting(connection, request.user.account_id)
            account = await identities.find_or_create(
                connection, workflow_id, data.user_id, data.name, role="guest", color=data.color
            )
            await add_member(connection, workflow_id, account.id, data.role, may_run=data.may_run)
            token = await create_workflow_token(connection, workflow_id, account.id, data.expires_in_s)
        # What another app calls its user counts, whatever it was before.
        await services.accounts.change(account.id, name=data.name, color=data.color)
        services.relay.publish(workflow_id, AccessHint())
        return token


class ShareLinksController(Controller):
    tags = ("sharing",)

    @get(
        "/s/{token:str}",
        opt=OPEN,
        operation_id="openShare",
        include_in_schema=False,
        exception_handlers={EaselError: on_refused_link},
    )
    async def open(self, services: TheServices, request: OpenRequest, token: FromPath[str]) -> Redirect:
        """Follow a link: somebody who is not signed in becomes a guest, and both go to the canvas."""
        await services.rates.count_link(request.client.host if request.client else None)
        share = await services.shares.find(token)
        account_id = await _signed_in(services, request)
        cookies = []
        if account_id is None:
            async with reaching_the_database(), services.database.acquire() as connection, connection.transaction():
                account_id = (await create_account(connection, GUEST, role="guest")).id
                secret = await open_session(connection, account_id)
            cookies.append(session_cookie(secret, secure=services.settings.is_https))
        await services.shares.let_in(share, account_id)
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Redirect(f"/w/{share.workflow_id}", status_code=303, cookies=cookies, headers=headers)


async def _signed_in(services: Services, request: OpenRequest) -> str | None:
    try:
        caller = await services.callers.of_request(request.headers, request.cookies, "GET")
    except NotSignedIn:
        return None
    if caller is None:
        return None
    caller.check_writes()  # it would be given a role
    return caller.account_id


def _link(services: Services, share: Share) -> ShareLink:
    return ShareLink(
        id=share.id,
        url=f"{services.settings.base_url}/s/{share.secret}",
        role=share.role,
        may_run=share.may_run,
        guests=share.guests,
        created_at=share.created_at,
        expires_at=share.expires_at,
    )
