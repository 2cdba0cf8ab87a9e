"""Who may do what to a workflow (CONTRACT §3). The only place where a role is turned into a permission."""

from __future__ import annotations

from typing import Literal

from canvas.errors import EaselError, Forbidden, NotFound

Role = Literal["owner", "editor", "viewer"]
Action = Literal["read", "write", "run", "manage"]
"""`write`: change the document. `run`: spend the owner's provider money. `manage`: members, the trash."""

_RANK: dict[Role, int] = {"viewer": 0, "editor": 1, "owner": 2}
_NEEDS: dict[Action, Role] = {"read": "viewer", "write": "editor", "run": "editor", "manage": "owner"}


def may(role: Role | None, action: Action, *, may_run: bool = True) -> bool:
    """`may_run` is the membership's own permission; it only ever narrows `run`."""
    if role is None or (action == "run" and not may_run):
        return False
    return _RANK[role] >= _RANK[_NEEDS[action]]


def lesser(role: Role, at_most: Role) -> Role:
    return min(role, at_most, key=_RANK.__getitem__)


def refusal(role: Role | None, action: Action) -> EaselError:
    """Why not. Without a role the workflow does not exist for you: ids must not leak."""
    if role is None:
        return NotFound("There is no such workflow, or you have not been invited to it.")
    if action == "run":
        return Forbidden("Your role on this workflow may not start runs. Ask its owner.")
    return Forbidden(f"A {role} of this workflow may not do that. Ask its owner for a higher role.")
