"""Five people who start hundreds of runs at once, vendors who fail three orders in ten, and the killing."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

from tests.app.running import Person
from tests.chaos.gate import GatedWorker
from tests.chaos.site import Site
from tests.chaos.vendors import KINDS, Kind, Vendors
from tests.jobs.providers.sim.server import Asked, Fault, Told, changed, cut_after, cut_before, cut_in_body, refused

PEOPLE = ("ann", "ben", "cem", "dua", "eve")
GREEDY = 3  # the first has so many times as many runs as each of the others
WEIGHTS = (40, 30, 15, 15)  # of KINDS
WORKERS = 2
PAUSE_S = (1.0, 4.0)  # between two kills
STOPPED_S = 3.0  # past a lease of two seconds
FIND_RUN = re.compile(rb"fox-(\d+)-")


def cut_short(answer: Told) -> Told:
    """A picture that ends before it is complete, as if that were all of it."""
    return Told(answer.body[: len(answer.body) // 2], answer.status, answer.content_type)


ORDERS: tuple[tuple[int, str, Fault], ...] = (
    (80, "unavailable", refused(503)),
    (80, "busy", refused(429, Retry_After="1")),
    (30, "refused", refused(400, {"error": {"message": "not this one", "code": "invalid_value"}, "detail": "no"})),
    (25, "cut", cut_before),
    (25, "cut", cut_after),
    (20, "cut", cut_in_body),
    (20, "cut", refused(502)),
)
"""In so many of a thousand orders: 28 %, besides what befalls looks and downloads."""
LOOKS: tuple[tuple[int, str, Fault], ...] = (
    (30, "unavailable", refused(503)),
    (20, "busy", refused(429, Retry_After="1")),
    (20, "cut look", cut_before),
)
DOWNLOADS: tuple[tuple[int, str, Fault], ...] = (
    (40, "unavailable", refused(503)),
    (20, "cut look", cut_in_body),
    (20, "cut short", changed(cut_short)),
)


class Trouble:
    """Falls on vendors by the dice, and is written down for each run."""

    def __init__(self, dice: random.Random, vendors: Vendors) -> None:
        self._dice = dice
        self.befell: dict[int, set[str]] = {}
        """Of runs, by their numbers: what befell their orders."""
        self.counts: Counter[str] = Counter()
        for vendor in vendors.of.values():
            vendor.server.trouble = self.fault

    def fault(self, asked: Asked) -> Fault | None:
        number = number_in(asked)
        kinds = ORDERS if number is not None else DOWNLOADS if asked.path.startswith("/out/") else LOOKS
        if asked.path == "/ws" or asked.path.startswith("/upload"):
            return None
        roll = self._dice.randrange(1000)
        for weight, name, fault in kinds:
            roll -= weight
            if roll < 0:
                self.counts[name] += 1
                if number is not None:
                    self.befell.setdefault(number, set()).add(name)
                return fault
        return None


def number_in(asked: Asked) -> int | None:
    """Of the run whose order this is; None for what is no order."""
    found = FIND_RUN.search(asked.body) if asked.method == "POST" else None
    return int(found[1]) if found else None


def accepted(vendors: Vendors) -> Counter[int]:
    """How often each run was."""
    orders = (asked for vendor in vendors.of.values() for asked in vendor.server.accepted)
    return Counter(number for asked in orders if (number := number_in(asked)) is not None)


class Crowd:
    """`runs` are ids by numbers."""

    def __init__(self, site: Site, people: dict[str, Person], kinds: list[Kind]) -> None:
        self._site = site
        self._people = people
        self._owner_of = owners(len(kinds))
        self._kinds = kinds
        self.runs: dict[int, str] = {}

    async def start(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, person in self._people.items():
                group.create_task(self._start(name, person))

    async def _start(self, name: str, person: Person) -> None:
        mine = [number for number, owner in enumerate(self._owner_of) if owner == name]
        nodes = [{"id": f"n{number}", "position": {"x": 0, "y": 0}, "data": {}} for number in mine]
        headers = {"Authorization": f"Bearer {person.token}"}
        url = self._site.urls()[0]
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
            made = await http.post("/api/workflows", json={"name": name, "nodes": nodes})
            assert made.status_code == 201, made.text
            for number in mine:
                kind = self._kinds[number]
                body = {"provider": kind.provider, "model": kind.model, "promptSpec": {"basePrompt": f"fox-{number}-"}}
                place = {"workflowId": made.json()["id"], "nodeId": f"n{number}"}
                answer = await http.post("/api/runs", json=body | place)
                assert answer.status_code == 202, answer.text
                self.runs[number] = answer.json()["jobId"]


def owners(count: int) -> list[str]:
    """Whose each run is: in turn, so that all of them come at once."""
    each = [PEOPLE[0]] * GREEDY + list(PEOPLE[1:])
    return [each[number % len(each)] for number in range(count)]


def kinds_of(count: int, dice: random.Random) -> list[Kind]:
    return dice.choices(KINDS, WEIGHTS, k=count)


class Killing:
    """Until cancelled, something is killed, stopped or emptied every few seconds; what is killed is started again."""

    def __init__(self, site: Site, dice: random.Random, plant: str) -> None:
        self._site = site
        self._dice = dice
        self._settings = {"EASEL_TEST_PLANT": plant} if plant else {}
        self.workers: list[GatedWorker] = []
        self.logs: list[str] = []
        """Of those that were killed."""
        self.counts: Counter[str] = Counter()

    async def start(self) -> None:
        for _ in range(WORKERS):
            self.workers.append(await self._worker())

    async def stop(self) -> None:
        for worker in self.workers:
            await self._site.run(worker.stop)

    async def go_on(self) -> None:
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "worker killed": self._kill,
            "worker stopped": self._stop_a_while,
            "Redis emptied": self._site.flush_redis,
            "Redis killed": lambda: self._site.kill_service(self._site.redis),
            "PostgreSQL killed": lambda: self._site.kill_service(self._site.postgres),
            "server killed": lambda: self._site.kill_server(0),
        }
        while True:
            await asyncio.sleep(self._dice.uniform(*PAUSE_S))
            (way,) = self._dice.choices(list(ways), (4, 4, 2, 1, 1, 1))
            self.counts[way] += 1
            await ways[way]()

    async def _kill(self) -> None:
        place = self._dice.randrange(WORKERS)
        await self._site.run(self.workers[place].kill)
        await self._site.run(self.workers[place].stop)
        self.logs.append(self.workers[place].text)
        self.workers[place] = await self._worker()

    async def _stop_a_while(self) -> None:
        worker = self._dice.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(STOPPED_S)  # that is the fault, and no waiting for anything
        finally:
            worker.signal(signal.SIGCONT)

    async def _worker(self) -> GatedWorker:
        return await self._site.run(lambda: GatedWorker(self._site.environment | self._settings))


def tolerated(kind: Kind, befell: set[str], code: str | None) -> bool:
    """Whether a run may end like this by what befell its orders alone."""
    if code == "OUTCOME_UNKNOWN":
        return kind.is_paid and "cut" in befell
    return code == "PROVIDER_INVALID_REQUEST" and "refused" in befell
