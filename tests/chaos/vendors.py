"""Four simulated vendors at one site, one of each kind, and what each was asked and has accepted."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx

from tests.app.reports import signed
from tests.chaos.site import Site
from tests.jobs.providers.sim.comfyui import ComfyUI
from tests.jobs.providers.sim.generic import Generic
from tests.jobs.providers.sim.openai import OpenAI
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.queue import Job
from tests.jobs.providers.sim.replicate import Replicate
from tests.jobs.providers.sim.server import Asked, Server, Told

KEY = "a-key-of-the-tests"
SECRET = b"a secret of 24 bytes....."
REPORTS_AGAIN_S = 0.3  # a sender whose report was not answered with 2xx tries again
REPORT_TRIES = 100
LEASE_S = 2


class Vendor(Protocol):
    @property
    def server(self) -> Server: ...

    @property
    def settings(self) -> Mapping[str, str]: ...


class OpenAIAtOnce(OpenAI):
    """Answers with the picture."""

    def __init__(self) -> None:
        super().__init__(KEY)

    @property
    def settings(self) -> dict[str, str]:
        return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.base_url}


class ReplicatePolled(Replicate):
    """There is no public https address, so it is asked every five seconds. It cannot be asked by our own ids."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.looks = 1
        """That have an answer without a picture."""

    @property
    def settings(self) -> dict[str, str]:
        self.delivery = f"{self.server.url}/out"
        return {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": self.base_url}

    async def respond(self, asked: Asked) -> Told:
        return given(asked.path) if asked.path.startswith("/out/") else await super().respond(asked)

    def _create(self, asked: Asked, path: str) -> Told:
        answer = super()._create(asked, path)
        next(reversed(self.queue.jobs.values())).looks = self.queue.STEPS - self.looks
        return answer


class GenericReporting(Generic):
    """Is done when it says so: each report comes twice, and the first one last."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.done: set[str] = set()
        self._reports: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> dict[str, str]:
        return {"GENERIC_PROVIDER_URL": self.url, "WEBHOOK_SECRET": SECRET.decode()}

    async def respond(self, asked: Asked) -> Told:
        return given(asked.path) if asked.path.startswith("/out/") else await super().respond(asked)

    def _take(self, asked: Asked) -> Told:
        answer = super()._take(asked)
        job = next(reversed(self.queue.jobs.values()))
        task = asyncio.create_task(self._report(job, asked.json()["webhookUrl"]))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)
        return answer

    def _state(self, job: Job) -> dict[str, Any]:
        job.looks = 2 if job.id in self.done else 1
        return super()._state(job)

    async def _report(self, job: Job, url: str) -> None:
        self.done.add(job.id)
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            for word in ("completed", "completed", "running"):
                body = b'{"job_id": "%b", "status": "%b"}' % (job.id.encode(), word.encode())
                headers = signed(body, secret=SECRET, event_id=f"{job.id}-{word}")
                await deliver(http, url, body, headers)

    async def stop(self) -> None:
        for report in self._reports:
            report.cancel()
        await asyncio.gather(*self._reports, return_exceptions=True)


async def deliver(http: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> None:
    """Until it is taken, as senders do."""
    for _ in range(REPORT_TRIES):
        try:
            answer = await http.post(url, content=body, headers=headers)
        except httpx.TransportError:
            pass
        else:
            if answer.is_success:
                return
        await asyncio.sleep(REPORTS_AGAIN_S)
    raise AssertionError(f"{url} takes no report")


class ComfyUIWatched(ComfyUI):
    """Tells over a WebSocket. It costs nothing, and can always be asked by our own ids."""

    def __init__(self) -> None:
        super().__init__(KEY)

    @property
    def settings(self) -> dict[str, str]:
        return {"COMFYUI_URL": self.base_url}


def given(path: str) -> Told:
    """The picture at an address, the same one always."""
    return Told(picture(sum(path.encode())), content_type="image/png")


class Kind(NamedTuple):
    name: str
    provider: str
    model: str
    is_paid: bool


KINDS = (
    Kind("sync", "openai", "gpt-image-2", is_paid=True),
    Kind("webhook", "generic", "any", is_paid=True),
    Kind("polling", "replicate", "black-forest-labs/flux-schnell", is_paid=True),
    Kind("WebSocket", "comfyui", "txt2img", is_paid=False),
)


class Vendors:
    def __init__(self) -> None:
        self.generic, self.replicate, self.comfyui = GenericReporting(), ReplicatePolled(), ComfyUIWatched()
        self.of: dict[str, Vendor] = {
            "openai": OpenAIAtOnce(),
            "generic": self.generic,
            "replicate": self.replicate,
            "comfyui": self.comfyui,
        }

    @property
    def settings(self) -> dict[str, str]:
        return {name: value for vendor in self.of.values() for name, value in vendor.settings.items()}

    @property
    def places(self) -> str:
        """For EASEL_ALLOW_PRIVATE_HOSTS."""
        return ",".join(vendor.server.url.removeprefix("http://") for vendor in self.of.values())

    def accepted(self, provider: str) -> int:
        return len(self.of[provider].server.accepted)


@asynccontextmanager
async def open_vendors() -> AsyncIterator[Vendors]:
    vendors = Vendors()
    async with AsyncExitStack() as stack:
        for vendor in vendors.of.values():
            await stack.enter_async_context(vendor.server)
        stack.push_async_callback(vendors.comfyui.stop)
        stack.push_async_callback(vendors.generic.stop)
        yield vendors


@asynccontextmanager
async def at_a_site_with_vendors(**settings: str) -> AsyncIterator[tuple[Site, Vendors, Path]]:
    """One server and no worker; answers the data folder, too."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-chaos-")))
        vendors = await stack.enter_async_context(open_vendors())
        site = Site(folder)
        stack.push_async_callback(site.stop)
        times = {"EASEL_LEASE_SECONDS": str(LEASE_S), "EASEL_RETRY_SECONDS": "0.2"}
        await site.start(1, EASEL_ALLOW_PRIVATE_HOSTS=vendors.places, **vendors.settings, **times, **settings)
        site.environment["EASEL_PORT"] = str(site.ports[0])  # where workers say that reports are taken
        yield site, vendors, folder
