"""ComfyUI's graphs: what each can be asked for, and the graph of one order. Pure but for `read_graphs`.

A graph is what ComfyUI's "Export (API)" writes. Nobody has to mark its places: they are found by the names that
ComfyUI's nodes give their inputs, and by following links back from `positive` and `negative`. Where that is not enough,
a node titled "Prompt" or "Negative prompt" has the first say.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog

from jobs.providers.port import Model, PromptSpec
from jobs.providers.wishes import seed_within, wanted_shape, words_of

log = structlog.get_logger(__name__)

Nodes = dict[str, dict[str, Any]]
"""By id: `{"class_type", "inputs": {name: a value, or [node id, output]}, "_meta": {"title"}}`."""
Place = tuple[str, str]
"""A node's id and its input's name."""
Role = Literal["prompt", "negative", "seed", "width", "height", "batch", "source", "prefix", "checkpoint"]

MAX_SIDE_PX = 2048
SIDE_STEP_PX = 8  # a latent's pixel
DEFAULT_SIDE_PX = 1024
LARGEST_SEED = 2**53 - 1  # what JSON carries exactly
MAX_IMAGES = 4

_TITLES: dict[Role, str] = {"prompt": "prompt", "negative": "negative prompt"}
_LINKS: dict[str, Role] = {"positive": "prompt", "negative": "negative"}
_TEXTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "value", "string")
_BY_SIZE: dict[str, Role] = {"width": "width", "height": "height", "batch_size": "batch"}
_BY_NAME: dict[str, Role] = {
    "seed": "seed",
    "noise_seed": "seed",
    "filename_prefix": "prefix",
    "ckpt_name": "checkpoint",
}


class Graph(msgspec.Struct, frozen=True):
    model: Model
    nodes: Nodes
    places: Mapping[Role, tuple[Place, ...]]

    @property
    def needs_source(self) -> bool:
        return any(self.nodes[node]["inputs"][name] == "" for node, name in self.places.get("source", ()))

    @property
    def needs_checkpoint(self) -> bool:
        return any(self.nodes[node]["inputs"][name] == "" for node, name in self.places.get("checkpoint", ()))

    def filled(self, values: Mapping[Role, str | int]) -> Nodes:
        """A copy with these values in their places; a role without a place is left out."""
        nodes = copy.deepcopy(self.nodes)
        for role, value in values.items():
            for node, name in self.places.get(role, ()):
                nodes[node]["inputs"][name] = value
        return nodes

    def titles(self) -> dict[str, str]:
        """What each node is called, for people."""
        return {id_: str(_meta(node).get("title") or node["class_type"])[:60] for id_, node in self.nodes.items()}


def graph_of(id_: str, label: str, nodes: Nodes) -> Graph:
    places = _places(nodes)
    has_batch = "batch" in places
    model = Model(
        id=id_,
        label=label,
        max_side_px=MAX_SIDE_PX,
        max_images=MAX_IMAGES,
        per_call=None if has_batch else 1,
        seed="seed" in places,
        negative_prompt="negative" in places,
        previous_image="source" in places,
        price_usd=0.0,
    )
    return Graph(model, nodes, places)


def values_of(graph: Graph, prompt: PromptSpec, said: list[str]) -> dict[Role, str | int]:
    """What goes into the graph's places. What has no place is left out, and said."""
    label = graph.model.label
    values: dict[Role, str | int] = {"prompt": words_of(graph.model, prompt, said), "batch": prompt.n}
    if "prompt" not in graph.places:
        said.append(f"{label} has no place for a prompt: it draws the same whatever is asked for.")
    if prompt.negative_prompt and graph.model.negative_prompt:
        values["negative"] = prompt.negative_prompt
    seed = seed_within(LARGEST_SEED, graph.model, prompt, said)
    if seed is not None:
        values["seed"] = seed
    if prompt.quality:
        said.append(f"{label} knows no qualities; {prompt.quality[:40]!r} is left out.")
    width_px, height_px = _size(graph, prompt, said)
    return values | {"width": width_px, "height": height_px}


def _size(graph: Graph, prompt: PromptSpec, said: list[str]) -> tuple[int, int]:
    shape = wanted_shape(prompt)
    if shape is None:
        return DEFAULT_SIDE_PX, DEFAULT_SIDE_PX
    if "width" not in graph.places:
        said.append(f"{graph.model.label} draws in its own size; {shape.text} is left out.")
        return DEFAULT_SIDE_PX, DEFAULT_SIDE_PX
    stretch = math.sqrt(shape.ratio)
    wanted = (shape.width, shape.height) if shape.in_pixels else (DEFAULT_SIDE_PX * stretch, DEFAULT_SIDE_PX / stretch)
    width_px, height_px = (_side(graph.model, side) for side in wanted)
    if shape.in_pixels and wanted != (width_px, height_px):
        said.append(f"{shape.text} is not offered; {width_px}x{height_px} is used.")
    return width_px, height_px


def _side(model: Model, wanted: float) -> int:
    within = max(model.min_side_px, min(wanted, model.max_side_px))
    return round(within / SIDE_STEP_PX) * SIDE_STEP_PX


def read_graphs(folder: Path) -> tuple[Graph, ...]:
    """Each JSON file in a folder, its name the model's id. What is no graph is left out, and the log says why."""
    graphs = []
    for path in sorted(folder.glob("*.json")):
        try:
            nodes = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as error:
            log.warning("comfyui.graph_unreadable", file=path.name, reason=str(error))
            continue
        if not _is_graph(nodes):
            log.warning("comfyui.graph_unreadable", file=path.name, reason='use "Export (API)" in ComfyUI\'s menu')
            continue
        graphs.append(graph_of(path.stem, path.stem.replace("_", " ").replace("-", " ").capitalize(), nodes))
    return tuple(graphs)


def _is_graph(nodes: dict[str, Any]) -> bool:
    return bool(nodes) and all(
        isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
        for node in nodes.values()
    )


def _places(nodes: Nodes) -> dict[Role, tuple[Place, ...]]:
    found: dict[Role, tuple[Place, ...]] = {}
    for role, place in _named(nodes):
        found[role] = (*found.get(role, ()), place)
    for link, role in _LINKS.items():
        texts = _titled(nodes, role) or _linked(nodes, link)
        # A negative that is made of the prompt, as Flux' graphs do, is no place of its own.
        if own := tuple(place for place in texts if place not in found.get("prompt", ())):
            found[role] = own
    every_text = tuple(place for id_ in nodes for place in _texts(nodes, id_))
    if "prompt" not in found and len(every_text) == 1:
        found["prompt"] = every_text
    return found


def _named(nodes: Nodes) -> Iterator[tuple[Role, Place]]:
    for id_, node in nodes.items():
        inputs = node["inputs"]
        for name in inputs.keys() & _BY_NAME.keys():
            if not _is_link(inputs[name]):
                yield _BY_NAME[name], (id_, name)
        if all(isinstance(inputs.get(name), int) for name in _BY_SIZE):
            for name, role in _BY_SIZE.items():
                yield role, (id_, name)
        if node["class_type"] == "LoadImage" and isinstance(inputs.get("image"), str):
            yield "source", (id_, "image")


def _titled(nodes: Nodes, role: Role) -> tuple[Place, ...]:
    titled = [id_ for id_, node in nodes.items() if str(_meta(node).get("title")).strip().lower() == _TITLES[role]]
    return tuple(place for id_ in titled for place in _texts(nodes, id_))


def _linked(nodes: Nodes, link: str) -> tuple[Place, ...]:
    """The texts that `positive` or `negative` of some node is made of."""
    waiting = [node["inputs"][link][0] for node in nodes.values() if _is_link(node["inputs"].get(link))]
    seen: dict[str, tuple[Place, ...]] = {}
    while waiting:
        id_ = waiting.pop()
        if id_ in seen or id_ not in nodes:
            continue
        inputs = nodes[id_]["inputs"]
        seen[id_] = _texts(nodes, id_)
        if not seen[id_]:
            narrowed = [inputs[name] for name in (link, *_TEXTS) if _is_link(inputs.get(name))]
            links = narrowed or [value for value in inputs.values() if _is_link(value)]
            waiting += [value[0] for value in links]
    return tuple(place for places in seen.values() for place in places)


def _texts(nodes: Nodes, id_: str) -> tuple[Place, ...]:
    inputs = nodes[id_]["inputs"]
    return tuple((id_, name) for name in _TEXTS if isinstance(inputs.get(name), str))


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    meta = node.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


_DRAWING = {
    "checkpoint": _node("CheckpointLoaderSimple", ckpt_name=""),
    "prompt": _node("CLIPTextEncode", text="", clip=["checkpoint", 1]),
    "negative": _node("CLIPTextEncode", text="", clip=["checkpoint", 1]),
    "decode": _node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2]),
    "save": _node("SaveImage", images=["decode", 0], filename_prefix="easel"),
}


def _sampler(latent: str, denoise: float) -> dict[str, Any]:
    return _node(
        "KSampler",
        model=["checkpoint", 0],
        positive=["prompt", 0],
        negative=["negative", 0],
        latent_image=[latent, 0],
        seed=0,
        steps=20,
        cfg=7.0,
        sampler_name="euler",
        scheduler="normal",
        denoise=denoise,
    )


TEXT_TO_IMAGE = graph_of(
    "txt2img",
    "Text to image, first checkpoint",
    _DRAWING
    | {
        "size": _node("EmptyLatentImage", width=1024, height=1024, batch_size=1),
        "sampler": _sampler("size", 1.0),
    },
)
IMAGE_TO_IMAGE = graph_of(
    "img2img",
    "Image to image, first checkpoint",
    _DRAWING
    | {
        "source": _node("LoadImage", image=""),
        "encode": _node("VAEEncode", pixels=["source", 0], vae=["checkpoint", 2]),
        "sampler": _sampler("encode", 0.75),  # keeps the composition, redraws the rest
    },
)
BUILT_IN = (TEXT_TO_IMAGE, IMAGE_TO_IMAGE)
