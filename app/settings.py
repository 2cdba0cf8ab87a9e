"""Every setting, its default and its unit, read once from the environment and `.env` (the environment wins)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from dotenv import dotenv_values

PREFIX = "EASEL_"
COUNTS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own: where processes count together, read when it is imported."""
MIN_ADMIN_TOKEN_CHARACTERS = 24
MIN_JWT_SECRET_BYTES = 32
MIN_NOTICE_SECRET_CHARACTERS = 24
LEAST = {
    "worker_concurrency": 1,
    "lease_seconds": 1,
    "call_attempts": 1,
    "step_attempts": 1,
    "retry_seconds": 0,
    "rate_limit_seconds": 0,
    "run_deadline_seconds": 1,
    "drain_seconds": 0,
    "budget_usd_per_day": 0,
    "assumed_price_usd": 0,
    "runs_per_day": 0,
    "live_runs": 0,
    "servers": 1,
    "workers": 1,
    "shutdown_delay_seconds": 0,
    "requests_per_minute": 1,
    "artwork_limit": 0,
    "max_upload_bytes": 1,
    "max_pixels": 1,
    "retention_days": 1,
    "local_pace_seconds": 0,
    "metrics_port": 1,
}
"""The smallest value of a setting that is a number."""
# The names that providers' own documents use, so that a key which is already in the environment works here.
_PROVIDERS = re.compile(r"(openai|google|stability|replicate|fal|midjourney|comfyui|generic|webhook)_(?!hosts)")
_SECRET = re.compile(r"TOKEN|SECRET|KEY|PASSWORD")


class SettingsError(Exception):
    """One sentence: which setting, what is wrong, what would be right."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Field `data_dir` is `EASEL_DATA_DIR`, and so on; CONTRACT §2 says what each means."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0: any free one."""
    listen: str | None = None
    """`host:port` where a server behind a proxy on this machine listens, when `host` and `port` are the proxy's."""
    servers: int = 1
    """How many `easel up` runs; more than one behind Caddy."""
    workers: int = 1
    """How many `easel up` runs."""
    data_dir: Path = Path(".easel")
    database_url: str | None = None
    redis_url: str | None = None
    storage_url: str | None = None
    public_url: str | None = None
    cdn_url: str | None = None
    admin_token: str | None = None
    metrics_token: str | None = None
    """What a scraper of /metrics sends; empty: `admin_token`, or nothing from this machine and its private network."""
    metrics_port: int | None = None
    """Where a worker answers scrapes, on `host`; empty: nowhere. A server does at /metrics."""
    jwt_issuer: str | None = None
    """The `iss` of another issuer's JWTs; their keys by `jwt_jwks_url`, or one `jwt_secret` (HS256)."""
    jwt_audience: str | None = None
    jwt_jwks_url: str | None = None
    jwt_secret: str | None = None
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    allow_private_hosts: tuple[str, ...] = ()
    """`host:port` that may be fetched from although it is private."""
    webhook_hosts: tuple[str, ...] = ()
    """Other public names of this Easel that a run's `webhookUrl` may use."""
    objects_public: bool = True
    max_upload_bytes: int = 50 << 20
    max_pixels: int = 64_000_000
    requests_per_minute: int = 600
    """What one account may ask; `admin_token` is not counted."""
    artwork_limit: int = 1000
    """Artworks an account may have; `easel account set` gives one a limit of its own."""
    retention_days: int = 30
    """How long automatic versions are kept, thinned to one a day after the first."""
    worker_concurrency: int = 8
    lease_seconds: int = 15
    """How long a worker that fell silent keeps its run before another may take it over."""
    drain_seconds: float = 120.0
    """How long a worker that is told to stop waits for orders that are being sent: nobody could ask for them later."""
    shutdown_delay_seconds: float = 0.0
    """How long a server that is told to stop (SIGTERM) goes on without being ready, for load balancers to notice."""
    hello_seconds: float = 5.0
    """How long a new WebSocket may stay silent before it is closed."""
    call_attempts: int = 3
    """How often an order is sent, all in all, when its provider has surely not accepted it."""
    step_attempts: int = 5
    """How often a download or a write to the picture store is tried."""
    retry_seconds: float = 5.0
    """The pause before the second try; each following one is twice as long, up to a minute."""
    rate_limit_seconds: int = 900
    """How long providers may ask one run to wait, altogether, before it fails."""
    run_deadline_seconds: int = 1800
    """How long one order may take at its provider."""
    budget_usd_per_day: float | None = None
    """What one account may spend on pictures in a day (UTC); empty: as much as it likes. A guest spends the owner's."""
    assumed_price_usd: float | None = None
    """What a picture of unknown price counts with; empty: with a budget, such models are refused."""
    runs_per_day: int | None = None
    """How many runs one account may start in a day (UTC); empty: as many as it likes."""
    live_runs: int | None = None
    """How many of one account's runs may wait or go on at a time; empty: any number."""
    local_pace_seconds: float = 1.5
    """How long the built-in provider takes its time over a picture, so that people can watch it being drawn."""
    openai_api_key: str = ""
    openai_base_url: str = "https://api.openai.com/v1"
    openai_webhook_secret: str = ""
    """Webhook secrets may be several, comma separated: all are believed while they rotate."""
    google_api_key: str = ""
    google_base_url: str = "https://generativelanguage.googleapis.com/v1beta"
    google_webhook_secret: str = ""
    stability_api_key: str = ""
    stability_base_url: str = "https://api.stability.ai"
    replicate_api_token: str = ""
    replicate_base_url: str = "https://api.replicate.com/v1"
    replicate_webhook_secret: str = ""
    fal_key: str = ""
    fal_queue_url: str = "https://queue.fal.run"
    midjourney_proxy_url: str = ""
    midjourney_proxy_secret: str = ""
    comfyui_url: str = ""
    generic_provider_url: str = ""
    webhook_secret: str = ""
    """What orders to the generic provider, and its reports, are signed with."""
    notice_url: str | None = None
    """Where the operator is told of each failed run, by a webhook."""
    notice_secret: str = ""
    """What it is signed with (Standard Webhooks)."""
    otlp_url: str | None = None
    """Base of an OpenTelemetry collector (OTLP over HTTP) that is sent traces; empty: nobody traces."""
    otlp_logs: bool = False
    """Whether it is sent the log, too."""
    env: Literal["development", "production"] = "development"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def listens_at(self) -> tuple[str, int]:
        """Host and port."""
        if self.listen is None:
            return self.host, self.port
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def base_url(self) -> str:
        """The base of every link we hand out, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def origins(self) -> frozenset[str]:
        """Whose pages may write with a cookie. Without a public URL this machine's own names are one and the same."""
        own = {origin_of(self.base_url)}
        if self.public_url is None and self.host in {"127.0.0.1", "localhost", "::1", "0.0.0.0"}:  # noqa: S104
            own |= {f"http://{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        return frozenset(own | {origin_of(origin) for origin in self.allowed_origins})

    @property
    def storage(self) -> str:
        return self.storage_url or (self.data_dir / "objects").absolute().as_uri()


def read_settings(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Raises SettingsError for the first value that is none."""
    values = {setting: value for setting, value, _ in sources(environ, dotenv=dotenv) if value != ""}
    known = {name_of(field): field for field in Settings.__struct_fields__}
    given: dict[str, Any] = {known[name]: _listed(known[name], value) for name, value in values.items()}
    settings = _convert(given)
    _check_least(settings)
    _check_issuer(settings)
    _check_notices(settings)
    _check_listen(settings)
    token = settings.admin_token
    if token is not None and len(token) < MIN_ADMIN_TOKEN_CHARACTERS:
        raise SettingsError(f"EASEL_ADMIN_TOKEN must have at least {MIN_ADMIN_TOKEN_CHARACTERS} characters.")
    if not 0 <= settings.port <= 65535:
        raise SettingsError("EASEL_PORT must be from 0 to 65535.")
    if not settings.hello_seconds > 0:
        raise SettingsError("EASEL_HELLO_SECONDS must be more than 0.")
    return settings


def _check_least(settings: Settings) -> None:
    for field, least in LEAST.items():
        value = getattr(settings, field)
        if value is not None and not value >= least:  # NaN is not
            raise SettingsError(f"{name_of(field)} must be at least {least}.")


def _check_listen(settings: Settings) -> None:
    if settings.listen is None:
        return
    host, _, port = settings.listen.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise SettingsError("EASEL_LISTEN must be host:port, such as 127.0.0.1:8001.")


def _check_issuer(settings: Settings) -> None:
    has_key = bool(settings.jwt_jwks_url or settings.jwt_secret)
    if settings.jwt_issuer is not None and not has_key:
        raise SettingsError("EASEL_JWT_ISSUER needs EASEL_JWT_JWKS_URL, or EASEL_JWT_SECRET, to verify with.")
    if settings.jwt_issuer is None and has_key:
        raise SettingsError("EASEL_JWT_ISSUER must say whose JWTs are taken.")
    if settings.jwt_secret is not None and len(settings.jwt_secret.encode()) < MIN_JWT_SECRET_BYTES:
        raise SettingsError(f"EASEL_JWT_SECRET must have at least {MIN_JWT_SECRET_BYTES} bytes (RFC 7518, 3.2).")


def _check_notices(settings: Settings) -> None:
    if settings.notice_url is None:
        return
    if not settings.notice_url.startswith(("https://", "http://")):
        raise SettingsError("EASEL_NOTICE_URL must be an http or https address.")
    if len(settings.notice_secret) < MIN_NOTICE_SECRET_CHARACTERS:
        raise SettingsError(
            "EASEL_NOTICE_URL needs EASEL_NOTICE_SECRET to sign with, "
            f"of at least {MIN_NOTICE_SECRET_CHARACTERS} characters."
        )


def _convert(given: dict[str, Any]) -> Settings:
    for field, value in given.items():
        try:
            msgspec.convert({field: value}, Settings, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            reason = str(error).split(" - at ")[0].rstrip(".")
            shown = "***" if _SECRET.search(name_of(field)) else repr(value)
            raise SettingsError(f"{name_of(field)} is {shown}: {reason}.") from error
    return msgspec.convert(given, Settings, strict=False, dec_hook=_path)


def sources(
    environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> list[tuple[str, str, Literal["default", ".env", "environment"]]]:
    """Every setting's name, its value as written ("" when it is not set) and where that came from."""
    environment = os.environ if environ is None else environ
    file = {key: value or "" for key, value in dotenv_values(dotenv).items()} if dotenv and dotenv.is_file() else {}
    rows: list[tuple[str, str, Literal["default", ".env", "environment"]]] = []
    for name in map(name_of, Settings.__struct_fields__):
        if environment.get(name):
            rows.append((name, environment[name], "environment"))
        elif file.get(name):
            rows.append((name, file[name], ".env"))
        else:
            rows.append((name, "", "default"))
    return rows


def name_of(field: str) -> str:
    is_shared = field == "log_level" or _PROVIDERS.match(field)
    return field.upper() if is_shared else PREFIX + field.upper()


def masked(name: str, value: str) -> str:
    """A setting's value as it may be shown: secrets and passwords inside URLs hidden."""
    if not value:
        return value
    if _SECRET.search(name):
        return "***"
    url = urlsplit(value)
    if url.password is None:
        return value
    return urlunsplit(url._replace(netloc=url.netloc.replace(f":{url.password}@", ":***@")))


def _listed(field: str, value: str) -> Any:
    if field in {"allowed_origins", "trusted_proxies", "allow_private_hosts", "webhook_hosts"}:
        return [part.strip() for part in value.split(",") if part.strip()]
    if field in {"objects_public", "otlp_logs"}:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(value.lower(), value)
    return value


def _path(type_: type, value: Any) -> Any:
    if type_ is Path:
        return Path(value).expanduser()
    raise NotImplementedError(type_)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
