"""One adapter before its simulated vendor, and what is looked at in every answer and every error."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from jobs.errors import JobError
from jobs.providers.http import open_http
from jobs.providers.port import Answer, Model, Order, Picture, Progress, PromptSpec, Provider, Source, Ticket
from tests.jobs.providers.sim.server import Fault, Server, Told

KEY = "sk-test-0123456789abcdefKEY"
"""What every simulated vendor takes, and what no error may show."""


class Stage(msgspec.Struct):
    make: Callable[[], Provider]
    """Another adapter of the same settings each time: a process that starts again."""
    make_impatient: Callable[[], Provider]
    """One that waits a fraction of a second for an answer."""
    make_unreachable: Callable[[], Provider]
    """One whose address nobody listens at."""
    server: Server
    model: Model
    """The one that orders are for."""
    error: Callable[[int, str], Told]
    """A refusal in the vendor's words: HTTP status, sentence."""
    refused_prompt: Fault | None = None
    """The content policy, before anything is drawn; None: this vendor has no such answer."""
    refused_picture: Fault | None = None
    """The content policy, afterwards; None: this vendor has no such answer."""
    no_picture: Fault | None = None
    """Everything went well, and there is no picture. None: it cannot say that."""
    fewer: Fault | None = None
    """One picture fewer than `most` in one call; None: the vendor draws one a call."""
    most: int = 1
    """Pictures in one call."""
    order_path: str = ""
    """What an order's path holds."""
    lost: Ticket | None = None
    """Of a job that the vendor does not know (any more)."""
    statuses: dict[int, type[JobError]] = {}
    """Where this vendor means something else by a status than most."""
    reports: list[Progress] = []

    def order(self, *, n: int = 1, source: Source | None = None, **wishes: Any) -> Order:
        async def report(progress: Progress) -> None:
            self.reports.append(progress)

        async def woken(_: float) -> bool:
            await asyncio.sleep(0)
            return False

        prompt = PromptSpec("a red fox", n=n, previous_image="/objects/1" if source else None, **wishes)
        return Order(id="0" * 31 + "1", model=self.model, prompt=prompt, report=report, woken=woken, source=source)

    def then(self, *faults: Fault) -> None:
        """For the next orders."""
        self.server.then(*faults, on=self.order_path)


async def carried(provider: Provider, order: Order) -> Answer:
    """From the order to its pictures, with a ticket or without."""
    answer = await provider.submit(order)
    if isinstance(answer, Ticket):
        return await provider.follow(stored(answer), order)
    return answer


def stored(ticket: Ticket) -> Ticket:
    """As it comes back from the database."""
    return msgspec.json.decode(msgspec.json.encode(ticket), type=Ticket)


async def failure(provider: Provider, order: Order) -> JobError:
    with pytest.raises(JobError) as caught:
        await carried(provider, order)
    assert_tells_nothing(caught.value)
    return caught.value


def assert_tells_nothing(error: BaseException) -> None:
    """No key and no base64, nor in what caused it."""
    chain: BaseException | None = error
    while chain is not None:
        shown = f"{chain!r} {chain} {getattr(chain, 'facts', '')} {getattr(chain, 'said', '')}"
        assert KEY not in shown
        assert not re.search(r"[A-Za-z0-9+/]{300,}", shown)
        chain = chain.__cause__ or chain.__context__
    if isinstance(error, JobError):
        assert len(error.detail) < 600
        assert error.detail.endswith((".", "!", "?", "…")), f"no sentence: {error.detail}"


def twisted(value: Any) -> Iterator[Any]:
    """The value with something else in each of its places, one at a time; long lists only at their beginning."""
    yield from (None, 7, "x", [], {}, [7], {"x": None})
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != key}
            yield from ({**value, key: changed} for changed in twisted(inner))
    elif isinstance(value, list) and value:
        yield from ([changed, *value[1:]] for changed in twisted(value[0]))


def assert_whole(answer: Answer | Ticket) -> None:
    """It can be gone on with: an id, or pictures that are there as bytes or as an address."""
    if isinstance(answer, Ticket):
        assert answer.id
        return
    assert answer.pictures
    for picture in answer.pictures:
        assert bool(picture.content) != bool(picture.url)


def assert_came(picture: Picture) -> None:
    assert bool(picture.content) != bool(picture.url)
    assert picture.content is None or picture.content.startswith((b"\x89PNG", b"RIFF", b"\xff\xd8"))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Import it beside the contract."""
    async with open_http() as client:
        yield client
