"""Those who edit while things break: each with a seed, on a canvas of the Python client, noting what it was told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from canvas.client import Canvas, open_canvas
from canvas.graph import Graph
from canvas.ops import Op, replay
from canvas.protocol import Author, Result, Transaction
from tests.app.running import ADMIN_TOKEN
from tests.canvas.drawing import check
from tests.chaos.installation import Installation
from tests.simulation.edits import Editor

SETTLES_S = 60  # everything is back, and so is everybody
_ops = msgspec.json.Decoder(list[Op])


class Person:
    def __init__(self, canvas: Canvas, name: str, seed: int) -> None:
        self.canvas = canvas
        self.name = name
        self.client_id = canvas.client_id
        self.editor = Editor(f"{seed}/{name}")
        self.random = random.Random(f"{seed}/{name}/pace")
        self.told: list[Result] = []
        self.longest_wait_s = 0.0

    async def edit(self, pushes: int | None = None, pause_s: float = 0.0, until: asyncio.Event | None = None) -> None:
        """So many pushes, or until told to stop; each is answered before the next."""
        clock = asyncio.get_running_loop().time
        while pushes is None or len(self.told) < pushes:
            if until is not None and until.is_set():
                return
            ops = self.editor.edit(self.canvas.graph, self.canvas.seq)
            asked = clock()
            self.told.append(await self.canvas.push(*ops))
            self.longest_wait_s = max(self.longest_wait_s, clock() - asked)
            if pause_s:
                await asyncio.sleep(self.random.uniform(0, 2 * pause_s))  # a person thinks

    async def reaches(self, seq: int) -> None:
        await self.canvas.until(lambda: self.canvas.seq >= seq)


async def come_in(stack: AsyncExitStack, urls: list[str], workflow_id: str, count: int, seed: int) -> list[Person]:
    """People on the servers in turn."""
    people = []
    for number in range(count):
        canvas = await stack.enter_async_context(open_canvas(urls[number % len(urls)], workflow_id, ADMIN_TOKEN))
        people.append(Person(canvas, f"p{number}", seed))
    return people


async def read_log(site: Installation, workflow_id: str) -> list[Transaction]:
    query = """
        SELECT seq, author_id, client_id, client_seq, origin, at, ops::text FROM workflow_ops
        WHERE workflow_id = $1 ORDER BY seq"""
    return [
        Transaction(
            row["seq"],
            Author(row["author_id"], row["origin"], row["client_id"], row["client_seq"]),
            row["at"],
            _ops.decode(row["ops"]),
        )
        for row in await site.fetch(query, workflow_id)
    ]


def fold(log: list[Transaction], made: dict[str, Any]) -> Graph:
    """`made`: the workflow as it was answered; its name and viewport are in no transaction."""
    graph = Graph(name=made["name"], viewport=made["viewport"])
    for transaction in log:
        replay(graph, transaction.seq, transaction.ops)
        graph.settle()
    return graph


def drawn(graph: Graph) -> dict[str, Any]:
    """What a person sees of it, the order included."""
    return {
        "name": graph.name,
        "viewport": graph.viewport,
        "nodes": graph.nodes_in_order(),
        "edges": graph.edges_in_order(),
    }


async def check_everything(site: Installation, made: dict[str, Any], people: list[Person]) -> Counter[str]:
    """When nobody edits any more: what was acknowledged is stored once, and everybody sees the same. Answers counts."""
    log = await read_log(site, made["id"])
    head = log[-1].seq
    async with asyncio.timeout(SETTLES_S):
        for person in people:
            await person.reaches(head)
    assert [transaction.seq for transaction in log] == list(range(1, head + 1)), "the log has a gap"
    counts = check_acknowledgements(log, people)
    document = drawn(fold(log, made))
    for person in people:
        assert person.canvas.seq == head, f"{person.name} is ahead of the log"
        assert drawn(person.canvas.graph) == document, f"{person.name} does not see what the log says"
        check(person.canvas.graph)
        assert person.canvas.resyncs == 0, f"{person.name} had to load its copy afresh"
        assert person.canvas.client_id == person.client_id
    for number in range(len(site.urls())):
        exported = await site.export(made["id"], number)
        assert {key: exported[key] for key in document} == document, f"server {number} exports something else"
        assert exported["seq"] == head
    return counts


def check_acknowledgements(log: list[Transaction], people: list[Person]) -> Counter[str]:
    stored: dict[tuple[str | None, int | None], Transaction] = {}
    for transaction in log:
        key = (transaction.by.client_id, transaction.by.client_seq)
        assert key == (None, None) or key not in stored, f"{key} was applied twice"
        stored[key] = transaction
    counts: Counter[str] = Counter()
    for person in people:
        for number, result in enumerate(person.told, 1):
            counts[result.outcome] += 1
            assert result.client_seq == number, f"{person.name}'s push {number} was answered by {result}"
            found = stored.pop((person.client_id, number), None)
            if result.outcome == "reject":
                assert found is None, f"{person.name} was told {result}, but it is stored"
            elif result.outcome == "rebase" or found is not None:
                assert found is not None, f"{person.name} was told {result}, but nothing is stored"
                assert found.seq == result.seq, f"{person.name} was told {result}, but it is stored as {found.seq}"
            else:
                assert_without_effect(log, result)
                counts["without effect"] += 1
    strangers = [key for key in stored if key[0] in {person.client_id for person in people}]
    assert strangers == [], "stored, but nobody was told"
    return counts


def assert_without_effect(log: list[Transaction], result: Result) -> None:
    """A push that changes nothing is a commit at the head, which is somebody else's."""
    assert 0 <= result.seq <= len(log), f"{result} is ahead of the log"
