"""Every error as `application/problem+json` (RFC 9457), with a stable `code` and the seeds' `error` and `message`."""

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)

from canvas.errors import EaselError

log = structlog.get_logger(__name__)
AnyRequest = Request[object, object, State]

PROBLEM_JSON = "application/problem+json"
MAX_BODY_BYTES = 32 << 20  # an import; a node has its own, smaller limit
_HUNG_UP = "client disconnected prematurely"  # Litestar says so as its own failure
_CODES = {415: "UNSUPPORTED_MEDIA_TYPE"}


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
    request: AnyRequest,
    status: int,
    title: str,
    detail: str,
    code: str,
    *,
    headers: dict[str, str] | None = None,
    facts: dict[str, object] | None = None,
) -> Response[dict[str, object]]:
    kind = f"urn:easel:problem:{code.lower().replace('_', '-')}"
    body = msgspec.to_builtins(Problem(kind, title, status, detail, code, request.url.path, title, detail))
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    content = (facts or {}) | body
    return Response(content, status_code=status, media_type=PROBLEM_JSON, headers=headers)


def on_easel_error(request: AnyRequest, error: EaselError) -> Response[dict[str, object]]:
    facts = {key: value for key, value in error.facts.items() if value is not None}
    wait_s = facts.get("retryAfter")
    headers = None if wait_s is None else {"Retry-After": str(wait_s)}
    return problem(request, error.status, error.title, error.detail, error.code, headers=headers, facts=facts)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[dict[str, object]]:
    """What Litestar refuses before a handler runs: broken JSON, fields that do not fit, unknown paths."""
    match error:
        case ValidationException():
            return _on_misfit(request, error)
        case NotFoundException():
            return problem(request, 404, "Not found", f"There is nothing at {request.url.path}.", "NOT_FOUND")
        case MethodNotAllowedException():
            allowed = (error.headers or {}).get("allow", "")
            detail = f"{request.method} is not possible here. What is: {allowed}."
            return problem(request, 405, "Method not allowed", detail, "METHOD_NOT_ALLOWED", headers={"Allow": allowed})
        case ClientException() if error.status_code == 413:
            detail = f"A request's body has at most {MAX_BODY_BYTES >> 20} MiB."
            return problem(request, 413, "Too large", detail, "TOO_LARGE")
        case ClientException() if error.status_code == 400:
            is_body = isinstance(error.__cause__, SerializationException)
            detail = f"The body is not JSON: {error.detail.rstrip('.')}." if is_body else error.detail
            return problem(request, 400, "Bad request", detail, "VALIDATION_FAILED")
        case InternalServerException() if error.detail == _HUNG_UP:
            return problem(request, 400, "Bad request", "The request ended before it was complete.", "BAD_REQUEST")
        case _ if error.status_code < 500:
            code = _CODES.get(error.status_code, "BAD_REQUEST")
            return problem(request, error.status_code, "Bad request", error.detail, code)
        case _:
            return on_unexpected(request, error)


def _on_misfit(request: AnyRequest, error: ValidationException) -> Response[dict[str, object]]:
    found = [one for one in error.extra or [] if isinstance(one, dict)]
    if any(one.get("source") == "path" for one in found):
        return on_http_error(request, NotFoundException())
    detail = " ".join(map(_reason, found)) or "The request does not have the form this route takes."
    return problem(request, 422, "Cannot be done", detail, "VALIDATION_FAILED")


def _reason(extra: dict[str, str]) -> str:
    key = extra.get("key", "")
    message = extra.get("message", "").rstrip(".")
    if key == "data":
        key = "The body"
        message = "is missing: send a JSON object" if message == "'data'" else message
        return f"{key} {message}." if message.startswith("is ") else f"{key}: {message}."
    return f"{key}: {message}." if key else f"{message}."


def on_too_deep(request: AnyRequest, _: RecursionError) -> Response[dict[str, object]]:
    return problem(request, 400, "Bad request", "The body is nested too deep.", "VALIDATION_FAILED")


def on_broken_text(request: AnyRequest, _: UnicodeDecodeError) -> Response[dict[str, object]]:
    return problem(request, 400, "Bad request", "The body is not JSON: it is not UTF-8.", "VALIDATION_FAILED")


def on_unexpected(request: AnyRequest, error: Exception) -> Response[dict[str, object]]:
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    detail = "Something went wrong on our side. It has been written to the server's log."
    return problem(request, 500, "Something went wrong", detail, "INTERNAL")


HANDLERS = {
    EaselError: on_easel_error,
    HTTPException: on_http_error,
    RecursionError: on_too_deep,
    UnicodeDecodeError: on_broken_text,
    Exception: on_unexpected,
}
