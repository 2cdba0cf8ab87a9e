"""Many people with many pictures at once, and a server that is killed under them."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.pictures import a_picture, uploads
from tests.app.running import Person, Server, execute, some_name
from tests.app.test_cli import easel

SIZES = ["display", "icon", "original", "thumbnail"]
THREADS = 20


class Studio:
    """A server that may be killed, and what stays of it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.server = Server(environment)
        self.folder = Path(environment["EASEL_DATA_DIR"]) / "objects"

    def comes_back(self) -> None:
        self.server = Server(self.environment)

    def newcomer(self) -> Person:
        return Person(self.server, self.environment["EASEL_DATABASE_URL"], some_name())

    def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return asyncio.run(execute(self.environment["EASEL_DATABASE_URL"], query, *values))

    def files(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}

    def until_put(self, folder: str, count: int) -> None:
        """Looks all the time: what is to be hit lasts a few milliseconds."""
        deadline = time.monotonic() + 30
        while not (self.folder / folder).is_dir() or len(os.listdir(self.folder / folder)) < count:
            assert time.monotonic() < deadline

    def named(self) -> set[str]:
        """Uploads too: one that has just been used up goes with its row, a day later (AW12)."""
        rows = self.sql("SELECT key FROM objects UNION ALL SELECT key FROM uploads")
        return {row["key"] for row in rows}

    def assert_whole(self) -> None:
        """Each artwork has four pictures, each picture its row and its bytes, and the counters are exact."""
        half = self.sql(_HALF, SIZES)
        assert half == []
        assert {row["key"] for row in self.sql("SELECT key FROM objects")} <= self.files()
        assert self.sql(_MISCOUNTED) == []

    def sweeps(self) -> str:
        """When two days have gone by."""
        then = time.time() - 2 * 86400
        for path in self.folder.rglob("*"):
            os.utime(path, (then, then))
        done = easel("objects", "sweep", "--delete", **self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


_HALF = """
    SELECT artworks.id FROM artworks LEFT JOIN artwork_pictures ON artwork_id = artworks.id
    GROUP BY artworks.id HAVING array_agg(kind ORDER BY kind) <> $1::text[]"""
_MISCOUNTED = """
    SELECT id FROM accounts
    WHERE artwork_count <> (SELECT count(*) FROM artworks WHERE account_id = accounts.id AND deleted_at IS NULL)"""


_LEFT = "SELECT key FROM uploads WHERE account_id = $1 AND artwork_id IS NULL"


@pytest.fixture(scope="module")
def studio(own_environment: dict[str, str]) -> Iterator[Studio]:
    made = Studio(own_environment)
    yield made
    made.server.kill()
    made.server.stop()


def brings(person: Person, key: str) -> httpx.Response:
    return person.http.post("/api/artworks", json={"title": "Größe", "originalKey": key})


@pytest.mark.parametrize(("people", "each"), [(4, 5), pytest.param(50, 10, marks=pytest.mark.soak, id="fifty by ten")])
@pytest.mark.timeout(600)
def test_everybody_at_once_has_what_is_theirs_and_no_more(studio: Studio, people: int, each: int) -> None:
    """AW5, AW6"""
    limit, before = each - 2, len(studio.files())
    crowd = [studio.newcomer() for _ in range(people)]
    studio.sql("UPDATE accounts SET artwork_limit = $1", limit)
    wishes = [person for _ in range(each) for person in crowd]
    pictures = [a_picture("JPEG", (640, 400), f"#{number:06x}") for number in range(each)]

    with ThreadPoolExecutor(THREADS) as threads:
        keys = list(threads.map(lambda one: uploads(one[1].http, pictures[one[0] // people]), enumerate(wishes)))
        answers = list(threads.map(brings, wishes, keys))

    by_person: dict[str, list[httpx.Response]] = {person.id: [] for person in crowd}
    for person, answer in zip(wishes, answers, strict=True):
        by_person[person.id].append(answer)
        person.http.close()
    for mine in by_person.values():
        assert Counter(answer.status_code for answer in mine) == {201: limit, 429: 2}
        slugs = {answer.json()["data"]["slug"] for answer in mine if answer.status_code == 201}
        assert slugs == {"grösse", *(f"grösse-{number}" for number in range(1, limit))}
        assert {answer.json()["error"] for answer in mine if answer.status_code == 429} == {"Artwork limit reached"}
    studio.assert_whole()
    assert studio.files() - studio.named() == set()
    assert len(studio.files()) - before == people * (4 * limit + 2)


@pytest.mark.parametrize("rounds", [1, pytest.param(30, marks=pytest.mark.soak, id="thirty rounds")])
@pytest.mark.timeout(1800)
def test_killed_in_the_middle_no_artwork_is_half_there(studio: Studio, rounds: int) -> None:
    """AW3, AW4, OB4: and after the sweep nothing is left that nobody names. Keys of the dead can be used again."""
    picture, orphans = a_picture("JPEG", (1600, 1200)), 0
    for number in range(rounds):
        person = studio.newcomer()
        keys = [uploads(person.http, picture) for _ in range(8)]
        with ThreadPoolExecutor(8) as threads:
            for key in keys:
                threads.submit(brings, person, key)
            studio.until_put(f"originals/{person.id}", 1 + number % 6)
            studio.server.kill()
        person.http.close()
        studio.server.stop()
        studio.assert_whole()
        orphans += len(studio.files() - studio.named())
        said = studio.sweeps()
        assert studio.files() - studio.named() == set(), said
        studio.assert_whole()
        if number + 1 == rounds:
            break
        studio.comes_back()
        studio.sql("UPDATE uploads SET claimed_at = claimed_at - interval '5 minutes'")  # the lease of the dead
        left = [row["key"] for row in studio.sql(_LEFT, person.id)]
        person.http = httpx.Client(base_url=studio.server.url, headers=person.http.headers, timeout=20, trust_env=False)
        with person.http:
            assert [brings(person, key).status_code for key in left] == [201] * len(left)
        assert studio.sql("SELECT artwork_count FROM accounts WHERE id = $1", person.id) == [{"artwork_count": 8}]
    print(f"{rounds} kills left {orphans} orphans")
