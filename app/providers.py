"""The providers that the settings name, and whose reports can be verified."""

from collections.abc import Iterator

import httpx

from app.settings import Settings
from jobs.images.sandbox import PictureWorkers
from jobs.providers.comfyui import ComfyUIProvider
from jobs.providers.comfyui_graphs import BUILT_IN, read_graphs
from jobs.providers.fal import FalProvider
from jobs.providers.generic import GenericProvider
from jobs.providers.google import GoogleProvider
from jobs.providers.http import Vendor
from jobs.providers.local import LocalProvider
from jobs.providers.midjourney import MidjourneyProvider
from jobs.providers.openai import OpenAIProvider
from jobs.providers.port import Provider
from jobs.providers.registry import Registry
from jobs.providers.replicate import ReplicateProvider
from jobs.providers.stability import StabilityProvider
from jobs.webhooks.delivery import Sender
from jobs.webhooks.fal import KeyRing, fetching, jwks_url
from jobs.webhooks.reception import senders

GRAPHS = "comfyui"  # the folder in EASEL_DATA_DIR for graphs from ComfyUI's "Export (API)"


def registry_of(settings: Settings, pictures: PictureWorkers, http: httpx.AsyncClient) -> Registry:
    return Registry(
        [LocalProvider(pictures, pace_s=settings.local_pace_seconds), *_with_key(settings, http), *_at(settings, http)]
    )


def _with_key(settings: Settings, http: httpx.AsyncClient) -> Iterator[Provider]:
    """Their models are listed also while the key is missing."""
    yield OpenAIProvider(settings.openai_api_key, settings.openai_base_url, http)
    yield GoogleProvider(settings.google_api_key, settings.google_base_url, http)
    yield StabilityProvider(settings.stability_api_key, settings.stability_base_url, http)
    yield ReplicateProvider(settings.replicate_api_token, settings.replicate_base_url, http)
    yield FalProvider(settings.fal_key, settings.fal_queue_url, http)


def _at(settings: Settings, http: httpx.AsyncClient) -> Iterator[Provider]:
    """Servers of the operator's own: without an address there is nothing to build a door to."""
    if settings.midjourney_proxy_url:
        yield MidjourneyProvider(settings.midjourney_proxy_secret, settings.midjourney_proxy_url, http)
    if settings.comfyui_url:
        graphs = (*read_graphs(settings.data_dir / GRAPHS), *BUILT_IN)
        yield ComfyUIProvider(settings.comfyui_url, http, graphs=graphs)
    if settings.generic_provider_url:
        yield GenericProvider(settings.generic_provider_url, settings.webhook_secret, http)


def report_senders(settings: Settings, http: httpx.AsyncClient) -> dict[str, Sender]:
    url = jwks_url(settings.fal_queue_url)
    secrets: dict[str, str | None] = {
        "openai": settings.openai_webhook_secret,
        "google": settings.google_webhook_secret,
        "replicate": settings.replicate_webhook_secret,
        "generic": settings.webhook_secret,
    }
    return senders(secrets, KeyRing(fetching(Vendor("fal", url, headers={}, secrets=(), http=http), url)))


def reporters(settings: Settings) -> frozenset[str]:
    """Those whose reports can be verified here, so that they may be asked for."""
    found = {
        "replicate": settings.replicate_webhook_secret,
        "generic": settings.webhook_secret,
        "fal": settings.fal_key,
        "midjourney": settings.midjourney_proxy_url,
    }
    return frozenset(provider for provider, setting in found.items() if setting)
