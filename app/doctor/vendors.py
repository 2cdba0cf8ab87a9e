"""Providers: which are configured, and whether they take the key that they are given. Nothing is ordered."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import httpx

from app.doctor.findings import Ground, all_of
from app.settings import Settings
from jobs.providers.registry import SETTINGS, name_of


class Question(NamedTuple):
    """A request that costs nothing and needs the key."""

    url: str
    headers: dict[str, str]
    refused: frozenset[int] = frozenset({401})
    """Statuses that say the key is none. Not 403: a key that may draw need not be allowed to list."""


def questions(settings: Settings) -> dict[str, Question]:
    """By provider, for those that are configured and have such a request."""
    asked = {
        # https://platform.openai.com/docs/api-reference/models/list
        "openai": (
            settings.openai_api_key,
            Question(f"{settings.openai_base_url}/models", _bearer(settings.openai_api_key)),
        ),
        # https://ai.google.dev/api/models: 400 API_KEY_INVALID
        "google": (
            settings.google_api_key,
            Question(
                f"{settings.google_base_url}/models", {"x-goog-api-key": settings.google_api_key}, frozenset({400, 401})
            ),
        ),
        # https://platform.stability.ai/docs/api-reference: User
        "stability": (
            settings.stability_api_key,
            Question(f"{settings.stability_base_url}/v1/user/account", _bearer(settings.stability_api_key)),
        ),
        # https://replicate.com/docs/reference/http: account.get
        "replicate": (
            settings.replicate_api_token,
            Question(f"{settings.replicate_base_url}/account", _bearer(settings.replicate_api_token)),
        ),
        # ComfyUI's server.py
        "comfyui": (settings.comfyui_url, Question(f"{settings.comfyui_url.rstrip('/')}/system_stats", {})),
    }
    return {provider: question for provider, (value, question) in asked.items() if value}


async def providers(ground: Ground) -> str:
    asked = questions(ground.settings)
    wrong = await asyncio.gather(*(_ask(provider, one, ground.http) for provider, one in asked.items()))
    missing = [
        f"{provider} ({setting})"
        for provider, setting in SETTINGS.items()
        if setting is not None and not getattr(ground.settings, setting.lower())
    ]
    ready = [
        provider for provider, setting in SETTINGS.items() if not setting or getattr(ground.settings, setting.lower())
    ]
    says = f"{', '.join(ready)} {'is' if len(ready) == 1 else 'are'} ready."
    says += f" Not configured: {', '.join(missing)}." if missing else ""
    return all_of([one for one in wrong if one], says)


async def _ask(provider: str, question: Question, http: httpx.AsyncClient) -> str:
    """What is wrong with it; "": nothing."""
    setting = SETTINGS[provider]
    try:
        answer = await http.get(question.url, headers=question.headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return (
            f"{name_of(provider)} cannot be reached ({type(error).__name__}): look at the network, and at its address."
        )
    if answer.status_code in question.refused:
        return f"{name_of(provider)} refuses its key ({answer.status_code}): put one that is good into {setting}."
    return ""


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
