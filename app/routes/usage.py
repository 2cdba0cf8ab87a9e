"""/api/usage: what an account has used, in runs, pictures and money."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import QueryParameter

from app.routes.access import CallerRequest, TheServices
from canvas.errors import BadRequest
from jobs.costs import GROUPINGS, Grouping, Usage


class UsageController(Controller):
    path = "/api/usage"
    tags = ("usage",)

    @get(operation_id="getUsage")
    async def usage(
        self,
        services: TheServices,
        request: CallerRequest,
        group_by: Annotated[str, QueryParameter(name="groupBy")] = "provider,model,day",
    ) -> list[Usage]:
        """Your runs by any of provider, model and day (UTC), with commas between them; empty: all in one row.

        Costs are kept apart: what was estimated, what is known, and how many runs have a cost that nobody knows.
        """
        return await services.costs.usage(request.user.account_id, _groupings(group_by))


def _groupings(text: str) -> tuple[Grouping, ...]:
    names = {name.strip() for name in text.split(",")} - {""}
    chosen = tuple(grouping for grouping in GROUPINGS if grouping in names)
    if len(chosen) < len(names):
        raise BadRequest(f"groupBy takes any of {', '.join(GROUPINGS)}, with commas between them.")
    return chosen
