"""One run at work: what its orders need, and how they tell together how far they are."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from canvas.relay.port import CallHint, Hint
from jobs.call import Part, parts_of
from jobs.providers.port import Model, Progress, Provider, Report, Source, Woken
from jobs.providers.registry import name_of
from jobs.run import Run


class Job:
    """One run with everything its orders need."""

    def __init__(self, run: Run, provider: Provider, model: Model, report: Report, source: Source | None) -> None:
        self.run = run
        self.provider = provider
        self.model = model
        self.source = source
        self.name = name_of(provider.id)
        self.parts = parts_of(run, model)
        self.under_way: set[str] = set()
        """Orders that have a place at the gate."""
        self._report = report
        self._percents = [0] * len(self.parts)
        self._reports: dict[str, asyncio.Event] = {}

    @property
    def model_label(self) -> str:
        """For metrics: a provider that takes any model's name must not make as many series."""
        return self.model.id if any(model.id == self.model.id for model in self.provider.models) else "other"

    def report_of(self, part: Part) -> Report:
        """Of several orders: how far they are together, and which one speaks."""
        if len(self.parts) == 1:
            return self._report

        async def report(progress: Progress) -> None:
            self._percents[part.number] = progress.percent
            percent = sum(self._percents) // len(self._percents)
            message = f"{part.number + 1} of {len(self.parts)}: {progress.message}"
            await self._report(msgspec.structs.replace(progress, percent=percent, message=message))

        return report

    def hear(self, hint: Hint) -> None:
        if isinstance(hint, CallHint):
            self._reported(hint.order_id).set()

    def woken_of(self, order_id: str) -> Woken:
        async def woken(seconds: float) -> bool:
            reported = self._reported(order_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await reported.wait()
            has_come = reported.is_set()
            reported.clear()
            return has_come

        return woken

    def _reported(self, order_id: str) -> asyncio.Event:
        return self._reports.setdefault(order_id, asyncio.Event())
