from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from canvas.errors import EaselError
from jobs.providers.port import Model, PromptSpec
from jobs.run import (
    LIVE,
    TRANSITIONS,
    MadeWith,
    PictureUrl,
    RunResult,
    StartImageJobRequest,
    check_request,
    new_payload,
    node_change,
)

STUDIO = Model(id="studio-1", label="Studio", max_images=4, seed=True)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE64_PICTURE = "data:image/png;base64," + "A" * 100


def request(**prompt: Any) -> StartImageJobRequest:
    return StartImageJobRequest("n1", "wf", PromptSpec(**({"base_prompt": "a fox"} | prompt)), "local")


def code_of(refused: StartImageJobRequest, model: Model = STUDIO) -> str:
    with pytest.raises(EaselError) as caught:
        check_request(refused, model, frozenset({"easel.example"}))
    return caught.value.code


def test_ended_runs_never_move() -> None:
    """JB1"""
    assert {"pending", "running"} == LIVE
    assert all(not TRANSITIONS[status] for status in TRANSITIONS if status not in LIVE)


def test_every_run_that_is_live_can_end() -> None:
    """JB1, JB24"""
    assert all("cancelled" in TRANSITIONS[status] for status in LIVE)


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ({"base_prompt": "  "}, "VALIDATION_FAILED"),
        ({"base_prompt": "a" * 32_001}, "VALIDATION_FAILED"),
        ({"base_prompt": "a\0b"}, "NUL_CHARACTER"),
        ({"base_prompt": BASE64_PICTURE}, "BASE64_REFUSED"),
        ({"previous_image": BASE64_PICTURE}, "BASE64_REFUSED"),
        ({"previous_image": "/objects/originals/x.png"}, "CAPABILITY_UNSUPPORTED"),
        ({"n": 0}, "VALIDATION_FAILED"),
        ({"n": 5}, "CAPABILITY_UNSUPPORTED"),
        ({"seed": -1}, "VALIDATION_FAILED"),
        ({"seed": 2**32}, "VALIDATION_FAILED"),
        ({"size": "big"}, "VALIDATION_FAILED"),
        ({"size": "63x100"}, "CAPABILITY_UNSUPPORTED"),
        ({"size": "100x2049"}, "CAPABILITY_UNSUPPORTED"),
        ({"aspect_ratio": "wide"}, "VALIDATION_FAILED"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused_at_the_start(prompt: dict[str, Any], code: str) -> None:
    """JB3"""
    assert code_of(request(**prompt)) == code


def test_metadata_is_held_to_the_same_rules() -> None:
    """JB3"""
    plain = request()

    assert code_of(msgspec.structs.replace(plain, metadata={"note": BASE64_PICTURE})) == "BASE64_REFUSED"
    assert code_of(msgspec.structs.replace(plain, metadata={"note": {"a": "\0"}})) == "NUL_CHARACTER"


@pytest.mark.parametrize("prompt", [{}, {"n": 4}, {"seed": 0}, {"size": "64x2048"}, {"aspect_ratio": "16:9"}])
def test_what_the_model_can_do_passes(prompt: dict[str, Any]) -> None:
    check_request(request(**prompt), STUDIO)


def test_a_model_with_fixed_sizes_is_asked_for_the_nearest_but_a_size_must_be_one() -> None:
    fixed = Model(id="m", label="Fixed", sizes=("512x512", "1024x1024"))

    assert code_of(request(size="large"), fixed) == "VALIDATION_FAILED"
    check_request(request(size="600x600"), fixed)


@pytest.mark.parametrize(
    "url", ["https://evil.example/hook", "ftp://easel.example/", "easel.example", "https://easel.example@evil/"]
)
def test_a_webhook_url_may_only_name_another_address_of_this_easel(url: str) -> None:
    """JB3"""
    assert code_of(msgspec.structs.replace(request(), webhook_url=url)) == "VALIDATION_FAILED"


def test_our_own_webhook_address_passes() -> None:
    check_request(
        msgspec.structs.replace(request(), webhook_url="https://Easel.example/api/webhooks/generic"),
        STUDIO,
        frozenset({"easel.example"}),
    )


def test_unknown_fields_are_refused() -> None:
    body = b'{"nodeId":"n1","workflowId":"wf","provider":"local","model":"","promptSpec":{"basePrompt":"a"},"nid":1}'

    with pytest.raises(msgspec.ValidationError, match="nid"):
        msgspec.json.decode(body, type=StartImageJobRequest)


def test_a_seed_is_drawn_once_so_that_a_takeover_makes_the_same_picture() -> None:
    """JB7"""
    assert new_payload(request(), STUDIO).seed is not None
    assert new_payload(request(seed=5), STUDIO).seed is None
    assert new_payload(request(), STUDIO).salt != new_payload(request(), STUDIO).salt


def test_the_node_is_told_each_state_in_its_own_words() -> None:
    """JB22"""
    started = node_change("run_1", "pending", AT)
    failed = node_change("run_1", "failed", AT, error="No.")
    pictures = (RunResult("/a", "/b", 7), RunResult("/c", "/d"))
    made_with = MadeWith("a fox", "local", "studio-1", size="512x512")
    completed = node_change("run_1", "completed", AT, results=pictures, made_with=made_with)

    at = {"/data/jobId": "run_1", "/data/updatedAt": "2026-11-22T12:00:00Z"}
    assert started == ({"/data/status": "pending", **at}, ("/data/error",))
    assert failed == ({"/data/status": "error", "/data/error": "No.", **at}, ())
    results = [
        {"imageUrl": "/a", "thumbnailUrl": "/b", "seed": 7},
        {"imageUrl": "/c", "thumbnailUrl": "/d", "seed": None},
    ]
    asked = {"prompt": "a fox", "provider": "local", "model": "studio-1", "size": "512x512"}
    shown = {"/data/imageUrl": "/a", "/data/thumbnailUrl": "/b", "/data/results": results, "/data/madeWith": asked}
    assert completed == ({"/data/status": "completed", **at, **shown}, ("/data/error",))


def test_picture_urls_are_root_relative_without_a_cdn() -> None:
    assert PictureUrl()("icons/a.webp") == "/objects/icons/a.webp"
    assert PictureUrl("https://cdn.example/")("icons/a.webp") == "https://cdn.example/icons/a.webp"
