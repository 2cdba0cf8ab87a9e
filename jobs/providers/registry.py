"""Which providers there are, which of them are ready, and what their models can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from canvas.errors import Invalid
from jobs.errors import ConfigMissing, ModelRetired, ModelUnknown
from jobs.providers.port import Model, Provider

# Every provider that a run may name, in the order they are shown, with the setting that it cannot do without.
SETTINGS: dict[str, str | None] = {
    "local": None,
    "openai": "OPENAI_API_KEY",
    "google": "GOOGLE_API_KEY",
    "stability": "STABILITY_API_KEY",
    "midjourney": "MIDJOURNEY_PROXY_URL",
    "replicate": "REPLICATE_API_TOKEN",
    "fal": "FAL_KEY",
    "comfyui": "COMFYUI_URL",
    "generic": "GENERIC_PROVIDER_URL",
}

NAMES = {
    "local": "Easel",
    "openai": "OpenAI",
    "google": "Google",
    "stability": "Stability",
    "midjourney": "Midjourney",
    "replicate": "Replicate",
    "fal": "fal",
    "comfyui": "ComfyUI",
    "generic": "The provider",
}
"""As people know them."""
ANY = "*"
"""The id of a row that stands for every model that has no row of its own."""


def name_of(provider_id: str) -> str:
    return NAMES.get(provider_id, provider_id)


class Capabilities(msgspec.Struct, frozen=True, rename="camel"):
    sizes: tuple[str, ...]
    aspect_ratios: tuple[str, ...]
    qualities: tuple[str, ...]
    """The first is what is taken when nobody says."""
    min_side_px: int
    max_side_px: int
    max_images: int
    seed: bool
    negative_prompt: bool
    previous_image: bool


class ListedModel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    id: str
    label: str
    capabilities: Capabilities
    price: float | None
    """US dollars per picture; null: not known."""
    as_of: str | None = None
    retired_at: str | None = None
    replacement: str | None = None


class ListedProvider(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A row of `GET /api/providers`."""

    id: str
    name: str
    """As people know it."""
    configured: bool
    models: tuple[ListedModel, ...]
    missing_setting: str | None = None


class Registry:
    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.id: provider for provider in providers}

    def get(self, provider_id: str) -> Provider:
        """A provider that is ready. Raises Invalid for a name nobody has, ConfigMissing for one that is not set up."""
        if provider_id not in SETTINGS and provider_id not in self._providers:
            raise Invalid(f"There is no provider {provider_id[:40]!r}. Use one of: {', '.join(self._ids())}.")
        missing = self._missing_setting(provider_id)
        if missing is not None:
            raise ConfigMissing(f"The provider {provider_id} is not configured: set {missing}.", setting=missing)
        return self._providers[provider_id]

    def model(self, provider_id: str, model_id: str) -> Model:
        """The model of that id; of an empty one, the default. Raises as `get`, and ModelUnknown, ModelRetired."""
        provider = self.get(provider_id)
        live = [model for model in provider.models if not _is_retired(model) and model.id != ANY]
        if not model_id and live:
            return live[0]
        for model in provider.models:
            if model.id == model_id != ANY:
                return _live(model)
            if model.id == ANY and model_id not in {"", ANY}:
                return msgspec.structs.replace(model, id=model_id)
        known = ", ".join(model.id for model in live)
        raise ModelUnknown(f"The provider {provider_id} has no model {model_id[:80]!r}. Use one of: {known}.")

    def places(self) -> dict[str, int]:
        """How many runs each provider carries at a time, for those that have a limit."""
        found = {provider.id: provider.limits.concurrency for provider in self._ready()}
        return {provider_id: places for provider_id, places in found.items() if places is not None}

    def _ready(self) -> list[Provider]:
        return [provider for provider in self._providers.values() if provider.missing_setting is None]

    def listing(self) -> list[ListedProvider]:
        return [self._listed(provider_id) for provider_id in self._ids()]

    def _ids(self) -> list[str]:
        return list(SETTINGS | dict.fromkeys(self._providers))

    def _missing_setting(self, provider_id: str) -> str | None:
        provider = self._providers.get(provider_id)
        return SETTINGS[provider_id] if provider is None else provider.missing_setting

    def _listed(self, provider_id: str) -> ListedProvider:
        provider = self._providers.get(provider_id)
        missing = self._missing_setting(provider_id)
        models = provider.models if provider else ()
        return ListedProvider(
            id=provider_id,
            name=name_of(provider_id),
            configured=missing is None,
            models=tuple(_listed_model(model) for model in models),
            missing_setting=missing,
        )


def _is_retired(model: Model) -> bool:
    return model.retired_at is not None and date.fromisoformat(model.retired_at) <= datetime.now(UTC).date()


def _live(model: Model) -> Model:
    if not _is_retired(model):
        return model
    instead = f" Use {model.replacement}." if model.replacement else ""
    raise ModelRetired(f"{model.label} was retired on {model.retired_at}.{instead}", replacement=model.replacement)


def _listed_model(model: Model) -> ListedModel:
    return ListedModel(
        id=model.id,
        label=model.label,
        capabilities=Capabilities(
            sizes=model.sizes,
            aspect_ratios=model.aspect_ratios,
            qualities=model.qualities,
            min_side_px=model.min_side_px,
            max_side_px=model.max_side_px,
            max_images=model.max_images,
            seed=model.seed,
            negative_prompt=model.negative_prompt,
            previous_image=model.previous_image,
        ),
        price=model.price_usd,
        as_of=model.as_of,
        retired_at=model.retired_at,
        replacement=model.replacement,
    )
