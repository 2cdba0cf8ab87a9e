"""Log lines: one event a line, for people in development and as JSON in production."""

import logging
import sys

import structlog

from app.settings import Settings

# What these say of a database that is away, with a trace each time, we say in a line of our own.
_QUIET = ("asyncpg.pool",)

_traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_plain_traceback = structlog.dev.plain_traceback


def set_up_logs(settings: Settings) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
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
