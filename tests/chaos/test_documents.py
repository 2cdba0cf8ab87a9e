"""Real documents, and made-up hard ones: imported, edited by three at once, exported, imported again: the same."""

from __future__ import annotations

import asyncio
import json
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.people import check_everything, come_in
from tests.chaos.site import Site, at_a_site

FLOWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "flows"
CONTENT = ("name", "nodes", "edges", "viewport")
WORDS = ("a fox", "ключ", "狐狸", "🦊\u200d", "a/b~c", "", "\u2028", "'; --", "</script>", "\\u0000")
EDITORS = 3


def flows() -> list[Path]:
    if not FLOWS.is_dir():
        assert "CI" not in os.environ, "the shared documents must be there in CI"
        pytest.skip("the shared React Flow documents are not beside this checkout")
    return sorted(path for path in FLOWS.glob("*.json") if path.name != "manifest.json")


def test_some_real_documents_survive_editing() -> None:
    """IM1, GR5, R2"""
    chosen = random.sample(flows(), 3)
    print([path.name for path in chosen])
    live_with({path.name: json.loads(path.read_bytes()) for path in chosen}, edits=120)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_every_real_document_survives_a_thousand_edits() -> None:
    live_with({path.name: json.loads(path.read_bytes()) for path in flows()}, edits=1_000)


def test_hard_documents_survive_editing() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    live_with({f"made {number}": made_up(random.Random(seed + number)) for number in range(3)}, edits=120)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_many_hard_documents_survive_a_thousand_edits() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    live_with({f"made {number}": made_up(random.Random(seed + number)) for number in range(12)}, edits=1_000)


def live_with(documents: dict[str, dict[str, Any]], edits: int) -> None:
    async def scenario(site: Site) -> None:
        for name, document in documents.items():
            print(name)
            await edit_and_import_again(site, document, edits)

    at_a_site(scenario)


async def edit_and_import_again(site: Site, document: dict[str, Any], edits: int) -> None:
    imported = await site.workflow(**document)
    async with AsyncExitStack() as stack:
        people = await come_in(stack, site.urls(), imported["id"], EDITORS, seed=edits)
        await asyncio.gather(*(person.edit(pushes=edits // EDITORS) for person in people))
        await check_everything(site, imported, people)

    exported = await site.export(imported["id"])
    again = await site.workflow(**{key: exported[key] for key in CONTENT})

    assert again["warnings"] == []
    assert {key: again[key] for key in CONTENT} == {key: exported[key] for key in CONTENT}
    read = await site.export(again["id"], 1)
    assert {key: read[key] for key in CONTENT} == {key: exported[key] for key in CONTENT}


def made_up(choice: random.Random) -> dict[str, Any]:
    """Groups in groups in any order, edges with handles and to themselves, deep data, hard numbers and words."""
    nodes: list[dict[str, Any]] = []
    for number in range(choice.randint(20, 120)):
        node: dict[str, Any] = {"id": f"{choice.choice(WORDS)}{number}", "position": point(choice)}
        node["data"] = {word: value(choice, 4) for word in choice.sample(WORDS, 3)}
        if choice.random() < 0.3:
            node |= {"type": choice.choice(["group", "image_generation", None]), "zIndex": choice.randint(-5, 5)}
        if nodes and choice.random() < 0.5:
            node |= {
                "parentId": choice.choice(nodes)["id"],
                "extent": choice.choice(["parent", [[0, 0], [9, 9]], None]),
            }
        nodes.append(node)
    ids = [node["id"] for node in nodes]
    edges = [
        {
            "id": f"e{number}",
            "source": choice.choice(ids),
            "target": choice.choice(ids),
            "sourceHandle": choice.choice([None, "out", *WORDS]),
            "style": {"strokeWidth": 1.5},
            "data": value(choice, 2),
        }
        for number in range(choice.randint(0, 150))
    ]
    choice.shuffle(nodes)  # children before their parents, as other tools write them
    return {"name": "Foxes", "nodes": nodes, "edges": edges, "viewport": {**point(choice), "zoom": 0.5}}


def point(choice: random.Random) -> dict[str, float]:
    return {"x": choice.uniform(-1e6, 1e6), "y": choice.choice([0, -0.0, 1e-7, 1e15, choice.randint(-999, 999)])}


def value(choice: random.Random, depth: int) -> Any:
    if depth and choice.random() < 0.5:
        inner = [value(choice, depth - 1) for _ in range(choice.randint(0, 3))]
        return inner if choice.random() < 0.5 else dict(zip(choice.sample(WORDS, len(inner)), inner, strict=True))
    return choice.choice([None, True, 0, -1, 2**53 - 1, 0.1, 1e300, 5e-324, *WORDS])
