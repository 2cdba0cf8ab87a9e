"""Every error as `application/problem+json` (RFC 9457), with a stable `code` and the seeds' `error` and `message`."""

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.datastructures import State
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from canvas.errors import EaselError

log = structlog.get_logger(__name__)
AnyRequest = Request[object, object, State]

_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What every error answer holds."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    error: str
    """The title again."""
    message: str
    """The detail again."""


def problem(
    request: AnyRequest, status: int, title: str, detail: str, code: str, **facts: object
) -> Response[dict[str, object]]:
    kind = f"urn:easel:problem:{code.lower().replace('_', '-')}"
    body = msgspec.to_builtins(Problem(kind, title, status, detail, code, request.url.path, title, detail))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(body | facts, status_code=status, media_type="application/problem+json", headers=headers)


def on_easel_error(request: AnyRequest, error: EaselError) -> Response[dict[str, object]]:
    facts = {key: value for key, value in error.facts.items() if value is not None}
    return problem(request, error.status, error.title, error.detail, error.code, **facts)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[dict[str, object]]:
    """What Litestar refuses before a handler runs: broken JSON, fields that do not fit, unknown paths."""
    match error:
        case ValidationException():
            found = [one for one in error.extra or [] if isinstance(one, dict)]
            if any(one.get("source") == "path" for one in found):
                return on_http_error(request, NotFoundException())
            reasons = [_reason(one) for one in found]
            detail = " ".join(reasons) or "The request does not have the form this route takes."
            return problem(request, 422, "Cannot be done", detail, "VALIDATION_FAILED")
        case NotFoundException():
            return problem(request, 404, "Not found", f"There is nothing at {request.url.path}.", "NOT_FOUND")
        case MethodNotAllowedException():
            detail = f"{request.method} is not possible here."
            return problem(request, 405, "Method not allowed", detail, "METHOD_NOT_ALLOWED")
        case ClientException() if error.status_code == 400:
            detail = "The body is not the JSON this route takes." if "JSON" in error.detail else error.detail
            return problem(request, 400, "Bad request", detail, "VALIDATION_FAILED")
        case _ if error.status_code < 500:
            code = _CODES.get(error.status_code, "BAD_REQUEST")
            return problem(request, error.status_code, "Bad request", error.detail, code)
        case _:
            return on_unexpected(request, error)


def _reason(extra: dict[str, str]) -> str:
    key = extra.get("key")
    message = extra.get("message", "").rstrip(".")
    return f"{key}: {message}." if key else f"{message}."


def on_too_deep(request: AnyRequest, _: RecursionError) -> Response[dict[str, object]]:
    return problem(request, 400, "Bad request", "The body is nested too deep.", "VALIDATION_FAILED")


def on_unexpected(request: AnyRequest, error: Exception) -> Response[dict[str, object]]:
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    detail = "Something went wrong on our side. It has been written to the server's log."
    return problem(request, 500, "Something went wrong", detail, "INTERNAL")


HANDLERS = {
    EaselError: on_easel_error,
    HTTPException: on_http_error,
    RecursionError: on_too_deep,
    Exception: on_unexpected,
}
MEDIA_TYPE = MediaType.JSON
