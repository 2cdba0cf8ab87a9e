"""Which places ComfyUI's graphs have, by their nodes, and which frames of its socket count."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jobs.providers.comfyui_graphs import IMAGE_TO_IMAGE, TEXT_TO_IMAGE, graph_of, read_graphs, values_of
from jobs.providers.comfyui_socket import Display, Ended, Preview, Step, read_frame
from jobs.providers.comfyui_wire import Ended as History
from jobs.providers.comfyui_wire import PromptReply, read_or_none
from jobs.providers.http import Reply
from jobs.providers.port import Order, Progress, PromptSpec
from tests.jobs.providers.stage import twisted


def node(class_type: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def test_built_in_graphs_have_all_their_places() -> None:
    assert TEXT_TO_IMAGE.places == {
        "checkpoint": (("checkpoint", "ckpt_name"),),
        "prompt": (("prompt", "text"),),
        "negative": (("negative", "text"),),
        "seed": (("sampler", "seed"),),
        "width": (("size", "width"),),
        "height": (("size", "height"),),
        "batch": (("size", "batch_size"),),
        "prefix": (("save", "filename_prefix"),),
    }
    assert IMAGE_TO_IMAGE.places["source"] == (("source", "image"),)
    assert TEXT_TO_IMAGE.needs_checkpoint
    assert not TEXT_TO_IMAGE.needs_source
    assert IMAGE_TO_IMAGE.needs_source
    assert (TEXT_TO_IMAGE.model.per_call, IMAGE_TO_IMAGE.model.per_call) == (None, 1)


def test_texts_are_found_through_what_conditions_them() -> None:
    """A ControlNet hands both on: each is followed on its own side."""
    nodes = {
        "1": node("KSamplerAdvanced", noise_seed=1, positive=["2", 0], negative=["2", 1]),
        "2": node("ControlNetApplyAdvanced", positive=["3", 0], negative=["4", 0], image=["5", 0]),
        "3": node("CLIPTextEncodeSDXL", text_g="a", text_l="a", clip=["9", 1]),
        "4": node("CLIPTextEncode", text=["6", 0], clip=["9", 1]),
        "5": node("LoadImage", image="pose.png"),
        "6": node("PrimitiveString", value="b"),
        "9": node("CheckpointLoaderSimple", ckpt_name="mine.safetensors"),
    }

    graph = graph_of("mine", "Mine", nodes)

    assert set(graph.places["prompt"]) == {("3", "text_g"), ("3", "text_l")}
    assert graph.places["negative"] == (("6", "value"),)
    assert graph.places["seed"] == (("1", "noise_seed"),)
    assert not graph.needs_checkpoint, "it names its own"
    assert not graph.needs_source, "it has one of its own"
    assert graph.model.previous_image, "which may be replaced"


def test_negative_that_is_made_of_the_prompt_is_no_place() -> None:
    nodes = {
        "1": node("KSampler", seed=1, positive=["2", 0], negative=["3", 0]),
        "2": node("FluxGuidance", conditioning=["4", 0], guidance=3.5),
        "3": node("ConditioningZeroOut", conditioning=["4", 0]),
        "4": node("CLIPTextEncode", text="a", clip=["5", 0]),
        "5": node("DualCLIPLoader", clip_name1="x"),
    }

    graph = graph_of("flux", "Flux", nodes)

    assert graph.places["prompt"] == (("4", "text"),)
    assert "negative" not in graph.places
    assert not graph.model.negative_prompt


def test_only_text_is_the_prompt_and_titles_come_first() -> None:
    guided = {"1": node("BasicGuider", conditioning=["2", 0]), "2": node("CLIPTextEncode", text="a", clip=["3", 0])}
    titled = guided | {
        "7": node("Text Multiline", "Prompt ", text="b"),
        "8": node("String", "NEGATIVE PROMPT", string=""),
    }

    assert graph_of("x", "X", guided).places["prompt"] == (("2", "text"),)
    assert graph_of("x", "X", titled).places["prompt"] == (("7", "text"),)
    assert graph_of("x", "X", titled).places["negative"] == (("8", "string"),)


def test_links_in_a_circle_and_to_nowhere_end() -> None:
    nodes = {
        "1": node("A", positive=["2", 0], negative=["gone", 0], seed=["2", 0]),
        "2": node("B", x=["1", 0], y=["2", 0]),
    }

    assert graph_of("x", "X", nodes).places == {}


def test_filling_leaves_the_graph_as_it_is() -> None:
    filled = TEXT_TO_IMAGE.filled({"prompt": "a fox", "seed": 3, "source": "nowhere.png"})

    assert (filled["prompt"]["inputs"]["text"], filled["sampler"]["inputs"]["seed"]) == ("a fox", 3)
    assert TEXT_TO_IMAGE.nodes["prompt"]["inputs"]["text"] == ""


@pytest.mark.parametrize(
    ("wish", "size", "adjustment"),
    [
        ({"size": "1000x1001"}, (1000, 1000), "1000x1001 is not offered; 1000x1000 is used."),
        ({"size": "9000x10"}, (2048, 64), "9000x10 is not offered; 2048x64 is used."),
        ({"aspect_ratio": "16:9"}, (1368, 768), None),
        ({}, (1024, 1024), None),
    ],
)
def test_size(wish: dict[str, Any], size: tuple[int, int], adjustment: str | None) -> None:
    said: list[str] = []
    values = values_of(TEXT_TO_IMAGE, PromptSpec("a fox", **wish), said)

    assert (values["width"], values["height"]) == size
    assert said == ([adjustment] if adjustment else [])


def test_what_has_no_place_is_said() -> None:
    said: list[str] = []
    bare = graph_of("bare", "Bare", {"1": node("SaveImage", images=["2", 0])})

    values_of(bare, PromptSpec("a fox", size="64x64", seed=3, quality="hd", negative_prompt="dogs"), said)

    assert len(said) == 5
    assert all(sentence.endswith(".") for sentence in said)


def test_folder_of_graphs(tmp_path: Path) -> None:
    (tmp_path / "my-own_graph.json").write_text(json.dumps(TEXT_TO_IMAGE.nodes))
    (tmp_path / "saved.json").write_text('{"nodes": [], "links": [], "version": 0.4}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "notes.txt").write_text("")

    with capture_logs() as logs:
        [graph] = read_graphs(tmp_path)

    assert (graph.model.id, graph.model.label) == ("my-own_graph", "My own graph")
    assert [line["file"] for line in logs] == ["broken.json", "saved.json"]
    assert "Export (API)" in logs[1]["reason"]
    assert read_graphs(tmp_path / "nowhere") == ()


def test_answers_with_anything_in_any_place_are_read_or_are_none() -> None:
    reason = {"type": "t", "message": "m", "details": "d"}
    refused = {"error": reason, "node_errors": {"2": {"errors": [reason]}}}
    image = {"filename": "a.png", "subfolder": "", "type": "output"}
    ended = {"outputs": {"4": {"images": [image]}}, "status": {"status_str": "error", "messages": [["x", {}]]}}

    for other in twisted(refused):
        if told := read_or_none(Reply(400, {}, json.dumps(other).encode()), PromptReply):
            told.what_is_wrong({})
    for other in twisted(ended):
        if found := read_or_none(Reply(200, {}, json.dumps(other).encode()), History):
            assert isinstance(found.images, tuple)
            assert found.was_interrupted is False
            assert found.error is None or found.error == {}


def test_frames_of_others_and_nonsense_are_passed_over() -> None:
    other = struct.pack(">II", 4, 16) + b'{"prompt_id":"b"}'[:16] + b"\xff\xd8\xff"
    metadata = json.dumps({"prompt_id": "b"}).encode()
    frames: list[str | bytes] = [
        *('{"type":"executing","data":{"node":null,"prompt_id":"b"}}', '{"type":"status","data":{}}', "{", "[]", "7"),
        *('{"type":"progress","data":{"value":"x","max":2,"node":"1"}}', '{"type":"progress","data":null}', ""),
        *(b"", b"\0\0\0\1", struct.pack(">II", 1, 1) + b"text", struct.pack(">II", 3, 1) + b"\xff\xd8\xff", other),
        struct.pack(">II", 4, len(metadata)) + metadata + b"\xff\xd8\xff",
        struct.pack(">II", 4, 2**32 - 1) + b"{",
    ]

    assert [read_frame(frame, "a") for frame in frames] == [None] * len(frames)


def test_frames_that_count() -> None:
    plain = struct.pack(">II", 1, 2) + b"\x89PNG"

    assert read_frame('{"type":"executing","data":{"node":"3"}}', "a") == Step("3")
    assert read_frame('{"type":"executing","data":{"node":null,"prompt_id":"a"}}', "a") == Ended()
    assert read_frame('{"type":"progress","data":{"value":3,"max":20,"node":"3"}}', "a") == Step("3", 3, 20)
    assert read_frame(plain, "a") == Preview(b"\x89PNG")


@pytest.mark.anyio
async def test_progress_of_several_nodes_never_goes_back() -> None:
    reports: list[Progress] = []

    async def report(progress: Progress) -> None:
        reports.append(progress)

    async def woken(_: float) -> bool:
        return False

    order = Order("0" * 32, TEXT_TO_IMAGE.model, PromptSpec("a fox"), report, woken)
    display = Display(order, {"1": "Draft", "2": "Finish"})
    for news in (None, Step("1", 9, 10), Step("2"), Step("2", 1, 10), Step("2", 10, 10), Step("gone", 1, 1)):
        await display.show(news)

    assert [(progress.percent, progress.message) for progress in reports] == [
        (0, "In line at ComfyUI"),
        (90, "Draft, step 9 of 10"),
        (90, "Finish"),
        (90, "Finish, step 1 of 10"),
        (99, "Finish, step 10 of 10"),
        (99, "Drawing"),
    ]
