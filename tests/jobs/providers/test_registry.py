from __future__ import annotations

import msgspec
import pytest

from canvas.errors import Invalid
from jobs.errors import ConfigMissing, ModelRetired, ModelUnknown
from jobs.images.sandbox import PictureWorkers
from jobs.providers.local import STUDIO, LocalProvider
from jobs.providers.port import Answer, Limits, Model, Order, Plan, PromptSpec, Ticket
from jobs.providers.registry import SETTINGS, Registry


class Shop:
    """A provider that sells what it is given to sell, as far as the registry looks."""

    credential = "key"
    is_paid = True
    result_hosts: frozenset[str] = frozenset()
    own_origin: str | None = None

    def __init__(self, name: str, models: tuple[Model, ...], missing: str | None = None, places: int | None = None):
        self.id = name
        self.models = models
        self.missing_setting = missing
        self.limits = Limits(concurrency=places)

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        raise NotImplementedError

    async def submit(self, order: Order) -> Answer | Ticket:
        raise NotImplementedError

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        raise NotImplementedError

    async def find(self, order: Order) -> Ticket | None:
        raise NotImplementedError

    async def cancel(self, ticket: Ticket) -> None:
        raise NotImplementedError


GONE = Model(id="gpt-image", label="GPT Image", price_usd=0.04, retired_at="2020-01-01", replacement="newer")
LEAVING = Model(id="leaving", label="Leaving", price_usd=None, retired_at="2999-01-01")


@pytest.fixture
def registry() -> Registry:
    return Registry([LocalProvider(PictureWorkers()), Shop("openai", (GONE,), missing="OPENAI_API_KEY")])


def test_ready_provider_is_given(registry: Registry) -> None:
    assert registry.get("local").id == "local"


@pytest.mark.parametrize("provider_id", [name for name, setting in SETTINGS.items() if setting])
def test_provider_that_is_not_set_up_names_its_setting(registry: Registry, provider_id: str) -> None:
    setting = SETTINGS[provider_id]
    assert setting is not None

    with pytest.raises(ConfigMissing, match=setting) as refusal:
        registry.get(provider_id)

    assert (refusal.value.code, refusal.value.facts) == ("CONFIG_MISSING", {"setting": setting})


def test_unknown_provider_is_refused_with_the_list(registry: Registry) -> None:
    with pytest.raises(Invalid, match="local, openai, google"):
        registry.get("dall-e")


@pytest.mark.parametrize("model_id", ["", "studio-1"])
def test_empty_model_is_the_default(registry: Registry, model_id: str) -> None:
    assert registry.model("local", model_id) is STUDIO


def test_unknown_model_is_refused_with_the_list(registry: Registry) -> None:
    with pytest.raises(ModelUnknown, match="studio-1"):
        registry.model("local", "studio-9")


def test_retired_model_names_its_replacement() -> None:
    """JB3"""
    registry = Registry([Shop("openai", (GONE, LEAVING))])

    with pytest.raises(ModelRetired, match="Use newer") as refusal:
        registry.model("openai", "gpt-image")

    assert refusal.value.facts == {"replacement": "newer"}


def test_default_is_the_first_model_that_is_not_retired() -> None:
    registry = Registry([Shop("openai", (GONE, LEAVING))])

    assert registry.model("openai", "") is LEAVING
    assert registry.model("openai", "leaving") is LEAVING


def test_a_row_for_any_other_model_takes_the_name_that_was_asked_for() -> None:
    registry = Registry([Shop("fal", (LEAVING, Model(id="*", label="Any other model", max_images=3)))])

    assert (registry.model("fal", "a/b").id, registry.model("fal", "a/b").max_images) == ("a/b", 3)
    assert registry.model("fal", "") is LEAVING
    with pytest.raises(ModelUnknown):
        registry.model("fal", "*")


def test_places_are_those_of_ready_providers_with_a_limit() -> None:
    shops = [Shop("openai", (), places=5), Shop("google", ()), Shop("fal", (), missing="FAL_KEY", places=2)]

    assert Registry(shops).places() == {"openai": 5}


def test_listing_has_every_provider_in_one_order(registry: Registry) -> None:
    rows = msgspec.json.decode(msgspec.json.encode(registry.listing()))

    assert [row["id"] for row in rows] == list(SETTINGS)
    assert rows[0] == {
        "id": "local",
        "name": "Easel",
        "configured": True,
        "models": [
            {
                "id": "studio-1",
                "label": "Studio 1, built in",
                "capabilities": {
                    "sizes": [],
                    "aspectRatios": [],
                    "qualities": [],
                    "minSidePx": 64,
                    "maxSidePx": 2048,
                    "maxImages": 4,
                    "seed": True,
                    "negativePrompt": False,
                    "previousImage": False,
                },
                "price": 0.0,
            }
        ],
    }
    openai = rows[1]
    assert (openai["configured"], openai["missingSetting"]) == (False, "OPENAI_API_KEY")
    assert (openai["models"][0]["retiredAt"], openai["models"][0]["replacement"]) == ("2020-01-01", "newer")
    assert rows[2] == {
        "id": "google",
        "name": "Google",
        "configured": False,
        "models": [],
        "missingSetting": "GOOGLE_API_KEY",
    }
