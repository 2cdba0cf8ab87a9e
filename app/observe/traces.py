"""Whether this process tells an OpenTelemetry collector what it does (EASEL_OTLP_URL)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.observe.logs import ship_to
from app.settings import Settings, SettingsError
from jobs.tracing import use


@contextmanager
def observed(settings: Settings, service: str) -> Iterator[None]:
    """Around a process's work. Without a collector nothing of OpenTelemetry is imported. Raises SettingsError."""
    if settings.otlp_url is None:
        yield
        return
    try:
        from app.observe.otlp import shipping, tracing  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise SettingsError(
            'EASEL_OTLP_URL needs OpenTelemetry, which is not installed: pip install "easel[otel]".'
        ) from error
    url = settings.otlp_url.rstrip("/")
    with ExitStack() as stack:
        use(stack.enter_context(tracing(url, service)))
        stack.callback(use, None)
        if settings.otlp_logs:
            ship_to(stack.enter_context(shipping(url, service)))
            stack.callback(ship_to, None)
        yield
