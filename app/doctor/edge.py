"""What others see of Easel, and whom it believes: addresses, proxies, secrets and other issuers."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import msgspec

from app.doctor.findings import Ground, IllError, UnknownError, all_of, is_address
from app.settings import Settings, name_of, origin_of

SECRETS = (
    "admin_token", "metrics_token", "jwt_secret", "notice_secret", "webhook_secret", "midjourney_proxy_secret",
)  # fmt: skip
"""Those that the operator makes up. Others come from providers."""
FEWEST_DIFFERENT = 10  # characters; 24 of them at random have some 20
_GUESSED = re.compile(r"change.?me|password|example|default|letmein|123456", re.IGNORECASE)
_DOTENV = Path(".env")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


async def public(ground: Ground) -> str:
    """That links lead here, and that cookies are only sent over TLS where others can listen."""
    settings, wrong = ground.settings, []
    for setting in ("public_url", "cdn_url"):
        url = getattr(settings, setting)
        if url is not None and not is_address(url):
            raise IllError(f"{name_of(setting)} must be an address such as https://easel.example.com.")
    host = urlsplit(settings.base_url).hostname or ""
    if settings.public_url is None and host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        wrong.append(f"Links would begin with {settings.base_url}, which leads nowhere: set EASEL_PUBLIC_URL.")
    if settings.is_production and not settings.is_https and host not in _LOOPBACK:
        wrong.append(
            f"{settings.base_url} is not https, so cookies and pictures travel in the open: put a proxy with a "
            "certificate in front, and let EASEL_PUBLIC_URL begin with https://."
        )
    if settings.public_url is not None and not await _is_easel(ground.http, settings.public_url):
        wrong.append(
            f"No Easel answers at {settings.public_url}: let its name and its proxy lead to a server that runs, or "
            "correct EASEL_PUBLIC_URL."
        )
    return all_of(wrong, f"links begin with {settings.base_url}.")


async def origins(ground: Ground) -> str:
    if not is_address(ground.settings.base_url):
        raise UnknownError("It cannot be told before EASEL_PUBLIC_URL is an address.")
    wrong = [
        f"EASEL_ALLOWED_ORIGINS names {one!r}: an origin is scheme and host alone, such as https://app.example.com."
        for one in ground.settings.allowed_origins
        if not is_address(one) or origin_of(one) != one.lower().rstrip("/")
    ]
    return all_of(wrong, "" if wrong else f"pages of {', '.join(sorted(ground.settings.origins))} may use it.")


async def proxies(ground: Ground) -> str:
    settings, wrong = ground.settings, []
    for one in settings.trusted_proxies:
        try:
            is_everybody = one == "*" or ipaddress.ip_network(one, strict=False).prefixlen == 0
        except ValueError:
            wrong.append(
                f"EASEL_TRUSTED_PROXIES names {one!r}, which is no address or network: give those of the proxy."
            )
            continue
        if is_everybody:
            wrong.append(
                f"EASEL_TRUSTED_PROXIES believes everybody ({one}), so anyone may pretend any address: "
                "name your proxy's alone."
            )
    if settings.public_url and settings.is_https and not settings.trusted_proxies:
        wrong.append(
            "EASEL_PUBLIC_URL is https, so a proxy is in front, and EASEL_TRUSTED_PROXIES is empty, so all people "
            "count as one when guesses are slowed: name the proxy's address."
        )
    return all_of(wrong, f"{', '.join(settings.trusted_proxies) or 'none'} are believed.")


async def secrets(ground: Ground) -> str:
    """That they cannot be guessed, and that others on this machine cannot read them."""
    wrong = []
    for field in SECRETS:
        value = getattr(ground.settings, field)
        if value and (len(set(value)) < FEWEST_DIFFERENT or _GUESSED.search(value)):
            wrong.append(f"{name_of(field)} can be guessed: make one with `openssl rand -hex 32`.")
    if ground.settings.is_production and _can_be_read_by_others(_DOTENV):
        wrong.append("Others on this machine can read .env: `chmod 600 .env`.")
    return all_of(wrong, "hard to guess.")


def _can_be_read_by_others(file: Path) -> bool:
    return file.is_file() and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


async def issuer(ground: Ground) -> str:
    settings = ground.settings
    if settings.jwt_issuer is None:
        return "none but Easel."
    if settings.jwt_jwks_url is None:
        return f"{settings.jwt_issuer}, by a shared secret."
    try:
        answer = await ground.http.get(settings.jwt_jwks_url)
        answer.raise_for_status()
        keys = len(jwt.PyJWKSet.from_dict(msgspec.json.decode(answer.content, type=dict[str, Any])).keys)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, jwt.PyJWTError) as error:
        raise IllError(
            f"No keys are to be had at {settings.jwt_jwks_url} ({type(error).__name__}), so nobody can sign in with "
            f"{settings.jwt_issuer}: correct EASEL_JWT_JWKS_URL."
        ) from error
    return f"{settings.jwt_issuer}, with {keys} key{'' if keys == 1 else 's'}."


async def server(ground: Ground) -> str:
    url = ground.state.url if ground.state is not None and ground.state.url else ""
    if not url:
        return await _port(ground)
    try:
        answer = await ground.http.get(f"{url}/health")
    except httpx.HTTPError as error:
        raise IllError(f"Nobody answers at {url}: look at what `easel up` prints.") from error
    if answer.status_code != httpx.codes.OK:
        raise IllError(f"{url}/health says {answer.status_code}: see the lines above.")
    return f"healthy at {url}."


async def _port(ground: Ground) -> str:
    host, port = ground.settings.listens_at
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise IllError(
                f"Nobody can listen on {where} ({error.strerror}): correct EASEL_HOST and EASEL_PORT."
            ) from error
        if await _is_easel(ground.http, own_address(ground.settings)):
            return f"an Easel answers on {where}."
        raise IllError(f"{where} is taken: stop what listens there, or set EASEL_PORT.") from error
    return f"{where} is free."


def own_address(settings: Settings) -> str:
    """Where a server on this machine is asked."""
    host, port = settings.listens_at
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _is_easel(http: httpx.AsyncClient, url: str) -> bool:
    try:
        answer = await http.get(f"{url.rstrip('/')}/health/live")
        return bool(answer.is_success and msgspec.json.decode(answer.content) == {"status": "live"})
    except (httpx.HTTPError, msgspec.MsgspecError):
        return False


async def reports(ground: Ground) -> str:
    """That providers which are to report know where."""
    settings = ground.settings
    named = [field for field in Settings.__struct_fields__ if field.endswith("_webhook_secret")]
    set_ = [name_of(field) for field in named if getattr(settings, field)]
    if set_ and settings.public_url is None:
        raise IllError(f"{', '.join(set_)} is set, and nobody is told where to report to: set EASEL_PUBLIC_URL.")
    if settings.public_url is None:
        raise UnknownError("Providers are asked again and again: without EASEL_PUBLIC_URL none can report.")
    return f"to {settings.base_url}/api/webhooks/…"
