"""Log lines: one event a line, for people in development and as JSON in production."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from app.settings import Settings
from jobs.tracing import traceparent

# What these say of a database that is away, with a trace each time, we say in a line of our own.
_QUIET = ("asyncpg.pool",)

Line = MutableMapping[str, Any]
_shipper: Callable[[dict[str, Any]], None] | None = None

_traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_plain_traceback = structlog.dev.plain_traceback


def set_up_logs(settings: Settings) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _ship,
        _add_trace,
        structlog.processors.TimeStamper(
            fmt="iso" if settings.is_production else "%H:%M:%S", utc=settings.is_production
        ),
    ]
    # A trace shows where, never with what: local variables hold tokens and prompts.
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.ExceptionRenderer(_traces), structlog.processors.JSONRenderer()]
        if settings.is_production
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak up only when something is wrong; what Easel does, Easel says.
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def ship_to(shipper: Callable[[dict[str, Any]], None] | None) -> None:
    """Every line of this process goes there as well, as a mapping with `event` and `level`."""
    global _shipper  # noqa: PLW0603 - a process has one log
    _shipper = shipper


def _ship(_: Any, __: str, line: Line) -> Line:
    if _shipper is not None:
        _shipper({name: value for name, value in line.items() if name != "exc_info"})
    return line


def _add_trace(_: Any, __: str, line: Line) -> Line:
    """Where there is one, a line leads to its trace."""
    if (parent := traceparent()) is not None:
        line["trace"] = parent.split("-")[1]
    return line
