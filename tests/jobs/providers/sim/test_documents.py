"""The vendors' documents are there and refuse what is wrong."""

from __future__ import annotations

import os

import pytest

from tests.jobs.providers.sim.documents import SPECS, document


@pytest.fixture
def vendors_documents() -> None:
    if not SPECS.exists():
        assert "CI" not in os.environ, "the vendors' documents must be there in CI"
        pytest.skip("the vendors' documents are not beside this checkout")


def test_a_vendors_documents_are_read(vendors_documents: None) -> None:
    """What adapters ask and simulated vendors tell is held against these; a document that refuses nothing is none."""
    openai = document("openai-images.openapi.json")
    openai.check("CreateImageRequest", {"prompt": "a fox", "n": 10})
    for wrong in ({"prompt": "a fox", "n": 11}, {"prompt": "a fox", "colour": "red"}, {"n": 1}):
        with pytest.raises(AssertionError):
            openai.check("CreateImageRequest", wrong)
    gemini = document("google-gemini.openapi.json")
    with pytest.raises(AssertionError):
        gemini.check("GenerateContentRequest", {"generationConfig": {"imageConfig": {"size": "1K"}}})
