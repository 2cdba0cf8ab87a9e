from __future__ import annotations

import msgspec
import pytest

from canvas.errors import Invalid
from jobs.errors import ConfigMissing, ModelUnknown
from jobs.images.sandbox import PictureWorkers
from jobs.providers.local import STUDIO, LocalProvider
from jobs.providers.port import Model, Picture, PromptSpec, Report
from jobs.providers.registry import SETTINGS, Registry


class KeylessProvider:
    id = "openai"
    models: tuple[Model, ...] = (
        Model(id="gpt-image", label="GPT Image", price_usd=0.04, retired_at="2020-01-01", replacement="newer"),
    )
    missing_setting: str | None = "OPENAI_API_KEY"

    async def generate(self, model: Model, prompt: PromptSpec, report: Report) -> list[Picture]:
        raise AssertionError("it has no key")


@pytest.fixture
def registry() -> Registry:
    return Registry([LocalProvider(PictureWorkers()), KeylessProvider()])


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


def test_listing_has_every_provider_in_one_order(registry: Registry) -> None:
    rows = msgspec.json.decode(msgspec.json.encode(registry.listing()))

    assert [row["id"] for row in rows] == list(SETTINGS)
    assert rows[0] == {
        "id": "local",
        "configured": True,
        "models": [
            {
                "id": "studio-1",
                "label": "Studio 1, built in",
                "capabilities": {
                    "sizes": [],
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
    assert rows[2] == {"id": "google", "configured": False, "models": [], "missingSetting": "GOOGLE_API_KEY"}
