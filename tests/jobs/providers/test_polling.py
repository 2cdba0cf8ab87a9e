"""Waiting for somebody else's job: how often, how long, and what a question that fails says of the job."""

from __future__ import annotations

import itertools

import pytest

from jobs.errors import (
    ContentPolicy,
    JobError,
    PollTimeout,
    ProviderAuth,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from jobs.providers.hosted import Rising
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Model, Order, Picture, Progress, PromptSpec

pytestmark = pytest.mark.anyio

DONE = Answer((Picture(url="https://cdn.example/1.png"),))


class Wait:
    """A job that gives these answers one after another, the last for ever, and a clock that notes each wait."""

    def __init__(self, *answers: Answer | JobError | None, webhook: bool = False) -> None:
        self.paused: list[float] = []
        self.reports: list[Progress] = []
        self.looks = 0
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        url = "https://easel.example/hook" if webhook else None
        self.order = Order("1" * 32, Model("m", "M"), PromptSpec("a fox"), self._report, self._woken, webhook_url=url)

    async def _report(self, progress: Progress) -> None:
        self.reports.append(progress)

    async def _woken(self, pause_s: float) -> bool:
        self.paused.append(pause_s)
        return False

    async def look(self) -> Answer | None:
        self.looks += 1
        answer = next(self._answers)
        if isinstance(answer, JobError):
            raise answer
        return answer

    async def ends(self, pace: Pace = Pace()) -> Answer:  # noqa: B008
        return await follow(self.look, self.order, "Vendor", pace)

    async def fails(self, pace: Pace = Pace()) -> JobError:  # noqa: B008
        with pytest.raises(JobError) as caught:
            await self.ends(pace)
        return caught.value


async def test_job_that_has_ended_is_not_waited_for() -> None:
    wait = Wait(DONE)

    assert await wait.ends() is DONE
    assert wait.paused == []


async def test_alone_it_looks_every_five_seconds_sixty_times() -> None:
    """The seeds' rule: 5 s × 60."""
    wait = Wait(None)

    error = await wait.fails()

    assert isinstance(error, PollTimeout)
    assert (wait.looks, wait.paused, error.charged) == (60, [5.0] * 60, "unknown")


async def test_vendor_may_ask_for_another_pace() -> None:
    wait = Wait(None)

    await wait.fails(Pace(every_s=10, looks=3))

    assert wait.paused == [10.0] * 3


async def test_beside_a_webhook_it_looks_seldom_and_without_end() -> None:
    """image-jobs.md §2.4 step 8: first at twice the expected time, then ×1.5 up to 60 s."""
    wait = Wait(*[None] * 100, DONE, webhook=True)

    await wait.ends(Pace(expected_s=10))

    assert wait.paused[:5] == [20.0, 30.0, 45.0, 60.0, 60.0]
    assert len(wait.paused) == 100


async def test_rate_limit_is_waited_out() -> None:
    wait = Wait(RateLimited("wait", retry_after_s=17), RateLimited("wait", retry_after_s=1), DONE)

    await wait.ends()

    assert wait.paused == [17.0, 5.0]


@pytest.mark.parametrize("kind", [ProviderUnavailable, ProviderTimeout])
async def test_hiccups_are_survived_with_growing_pauses(kind: type[JobError]) -> None:
    wait = Wait(*[kind("away")] * 4, None, *[kind("away")] * 4, DONE)

    assert await wait.ends() is DONE
    assert wait.paused[:5] == [5.0, 10.0, 20.0, 40.0, 5.0]


async def test_five_failed_looks_in_a_row_say_nothing_of_the_order() -> None:
    """It was accepted: `charged="no"` would have the machine order again."""
    wait = Wait(ProviderUnavailable("away"))

    error = await wait.fails()

    assert isinstance(error, ProviderUnavailable)
    assert (wait.looks, error.charged) == (5, "unknown")


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (ProviderAuth("the key was taken back"), "unknown"),
        (ContentPolicy("refused", charged="no"), "no"),
        (ProviderFailed("aborted before it began", charged="no"), "no"),
        (ProviderFailed("failed", charged="yes"), "yes"),
    ],
)
async def test_only_what_is_said_of_the_job_tells_what_it_cost(error: JobError, charged: str) -> None:
    assert (await Wait(error).fails()).charged == charged


async def test_progress_rises_whatever_the_log_says() -> None:
    wait = Wait(DONE)
    rising = Rising(wait.order)
    for log in ("", " 90%|███| 9/10 [", " 10%|█| 1/10 [", "no bar", " 95%|███| 19/20 [", " 100%|███| 20/20 ["):
        await rising.report_log(log)

    assert [one.percent for one in wait.reports] == [0, 90, 90, 95, 99]


async def test_progress_that_a_vendor_takes_back_is_not_taken_back() -> None:
    wait = Wait(DONE)
    rising = Rising(wait.order)
    for percent in (40, 10, 10, 400):
        await rising.report(percent, "Under way")

    assert [one.percent for one in wait.reports] == [40, 99]
