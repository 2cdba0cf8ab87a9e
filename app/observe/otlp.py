"""Traces and logs over OTLP, by OpenTelemetry's own SDK. Imported when EASEL_OTLP_URL is set, and not otherwise.

What else there is to set (headers, sampling, more of the resource) has OpenTelemetry's own names:
OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.version import VERSION
from jobs.tracing import Kind, Span, Value

EVERY_MS = 2_000
GRACE_MS = 2_000  # for what is still to be sent when the process stops
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
}
_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_carrier = TraceContextTextMapPropagator()


class OtlpSpan:
    def __init__(self, scope: AbstractContextManager[trace.Span]) -> None:
        self._scope = scope
        self._span: trace.Span = trace.INVALID_SPAN

    def __enter__(self) -> Span:
        self._span = self._scope.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        if isinstance(exc[1], Exception):  # its name alone: its words may hold a prompt or a secret
            self.fail(type(exc[1]).__name__)
        self._scope.__exit__(*exc)

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **attributes: Value) -> None:
        self._span.set_attributes(_named(attributes))

    def fail(self, reason: str) -> None:
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))


class OtlpTracer:
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def span(self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: dict[str, Value]) -> Span:
        context = _carrier.extract({"traceparent": parent}) if parent is not None else None
        return OtlpSpan(
            self._tracer.start_as_current_span(
                name,
                context,
                _KINDS[kind],
                _named(attributes),
                _links(link),
                record_exception=False,
                set_status_on_exception=False,
            )
        )

    def record(self, name: str, seconds: float, attributes: dict[str, Value]) -> None:
        ended_ns = time.time_ns()
        one = self._tracer.start_span(name, attributes=_named(attributes), start_time=ended_ns - round(seconds * 1e9))
        one.end(ended_ns)

    def traceparent(self) -> str | None:
        carried: dict[str, str] = {}
        _carrier.inject(carried)
        return carried.get("traceparent")


@contextmanager
def tracing(url: str, service: str) -> Iterator[OtlpTracer]:
    """What is left is sent at the end, within two seconds."""
    provider = TracerProvider(resource=_resource(service))
    exporter = OTLPSpanExporter(f"{url}/v1/traces", timeout=GRACE_MS / 1000)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EVERY_MS))
    try:
        yield OtlpTracer(provider.get_tracer("easel", VERSION))
    finally:
        provider.force_flush(GRACE_MS)
        provider.shutdown()


@contextmanager
def shipping(url: str, service: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Takes log lines, as structlog's processors have them. What is left is sent at the end, within two seconds."""
    provider = LoggerProvider(_resource(service), shutdown_on_exit=False)
    exporter = OTLPLogExporter(f"{url}/v1/logs", timeout=GRACE_MS / 1000)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=EVERY_MS))
    logger = provider.get_logger("easel", VERSION)

    def ship(line: dict[str, Any]) -> None:
        level = str(line.get("level", "info"))
        logger.emit(
            timestamp=time.time_ns(),
            severity_number=_SEVERITIES.get(level, SeverityNumber.INFO),
            severity_text=level.upper(),
            body=str(line.get("event", "")),
            attributes={key: _plain(value) for key, value in line.items() if key not in _OWN},
        )

    try:
        yield ship
    finally:
        provider.force_flush(GRACE_MS)
        provider.shutdown()


_OWN = frozenset({"event", "level", "timestamp", "trace"})
"""Of a line what OTLP has a place of its own for."""


def _resource(service: str) -> Resource:
    return Resource.create({"service.name": service, "service.version": VERSION})


def _named(attributes: dict[str, Value]) -> dict[str, Value]:
    return {f"easel.{name}": value for name, value in attributes.items()}


def _links(traceparent: str | None) -> list[trace.Link]:
    if traceparent is None:
        return []
    context = trace.get_current_span(_carrier.extract({"traceparent": traceparent}, Context())).get_span_context()
    return [trace.Link(context)] if context.is_valid else []


def _plain(value: Any) -> Value:
    return value if isinstance(value, str | int | float | bool) else str(value)
