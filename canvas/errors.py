"""Everything Easel refuses, as one tree: a stable `code`, an HTTP status and a sentence a person can act on.

    EaselError
    ├── Invalid             422  the request is understood and cannot be done as it stands
    │   ├── BadRequest      400  the request cannot be understood
    │   └── TooLarge        413
    ├── NotSignedIn         401
    ├── Forbidden           403
    ├── NotFound            404  also: you may not know that it exists
    ├── Conflict            409
    ├── PreconditionFailed  412
    ├── LimitReached        429
    └── Unavailable         503  something Easel stands on is away; trying again is right

`jobs.errors` adds what can go wrong with a picture.
"""

from __future__ import annotations

from typing import Any, ClassVar


class EaselError(Exception):
    """`detail` is shown to people: never put an exception's text, SQL, a path or a secret in it."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    default_code: ClassVar[str] = "INTERNAL"

    def __init__(self, detail: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.facts = facts
        """Extra members of the problem document, e.g. `jobId` of the run in the way."""


class Invalid(EaselError):
    status, title, default_code = 422, "Cannot be done", "VALIDATION_FAILED"


class BadRequest(Invalid):
    status, title, default_code = 400, "Bad request", "VALIDATION_FAILED"


class TooLarge(Invalid):
    status, title, default_code = 413, "Too large", "TOO_LARGE"


class NotSignedIn(EaselError):
    status, title, default_code = 401, "Sign in first", "AUTH_REQUIRED"


class Forbidden(EaselError):
    status, title, default_code = 403, "Not allowed", "FORBIDDEN"


class NotFound(EaselError):
    status, title, default_code = 404, "Not found", "NOT_FOUND"


class Conflict(EaselError):
    status, title, default_code = 409, "Conflict", "CONFLICT"


class PreconditionFailed(EaselError):
    status, title, default_code = 412, "Changed meanwhile", "PRECONDITION_FAILED"


def changed_meanwhile() -> PreconditionFailed:
    return PreconditionFailed("The workflow has changed since you read it. Read it again.")


class LimitReached(EaselError):
    status, title, default_code = 429, "Limit reached", "LIMIT_REACHED"


class Unavailable(EaselError):
    status, title, default_code = 503, "Not available right now", "UNAVAILABLE"
