"""What every adapter that asks after a job is held to, whatever it is told then. A class of its own to inherit from."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest

from jobs.errors import JobError
from jobs.providers.polling import MAX_FAILURES
from jobs.providers.port import Answer, Ticket
from tests.jobs.providers.sim.server import Told, Turn, instead
from tests.jobs.providers.stage import Stage, assert_tells_nothing, twisted


class OddLooks:
    """`stage.order_path` must not be in the paths of looks, or only the order must be answered there."""

    async def test_look_with_anything_in_any_place(self, stage: Stage) -> None:
        """A vendor's next version, a look-alike, a fault: an answer with pictures or a JobError that is not "free"."""
        provider, order = stage.make(), stage.order(n=stage.most)
        ticket = await provider.submit(order)
        assert isinstance(ticket, Ticket)
        heard: list[Told] = []

        async def overheard(turn: Turn) -> None:
            heard.append(await turn.answer())
            await turn.give(heard[-1])

        stage.server.then(*[overheard] * 3)
        assert (await provider.follow(ticket, order)).pictures
        for other in twisted(json.loads(heard[-1].body)):
            stage.server.then(instead(msgspec.structs.replace(heard[-1], body=json.dumps(other).encode())))
            with suppress(JobError):
                answer = await provider.follow(ticket, order)
                assert isinstance(answer, Answer)
                assert answer.pictures

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 500, 502, 503, 504])
    async def test_question_that_is_refused_says_nothing_of_the_order(self, stage: Stage, status: int) -> None:
        """The order was accepted: "not charged" would have it ordered again."""
        provider, order = stage.make(), stage.order()
        ticket = await provider.submit(order)
        assert isinstance(ticket, Ticket)
        stage.server.then(*[instead(stage.error(status, "No."))] * MAX_FAILURES)

        with pytest.raises(JobError) as caught:
            await provider.follow(ticket, order)

        assert_tells_nothing(caught.value)
        assert caught.value.charged != "no"
