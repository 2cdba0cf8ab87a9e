"""What has been used, and what needs somebody: over REST and on the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.app.running import Person, Worker
from tests.app.test_cli import easel


def test_usage_keeps_estimate_cost_and_the_unknown_apart(person: Person, worker: Worker) -> None:
    """JB32"""
    person.finishes(person.workflow())

    rows = person.http.get("/api/usage", params={"groupBy": "provider,day"}).json()

    (row,) = rows
    assert row.pop("day") is not None
    cost = {"isUnknown": False, "estimatedUsd": 0.0, "actualUsd": 0.0}
    assert row == {"provider": "local", "runs": 1, "images": 1, "unknownRuns": 0, "cost": cost}


def test_nothing_used_is_an_empty_list_and_an_unknown_grouping_is_said(person: Person) -> None:
    assert person.http.get("/api/usage").json() == []
    assert person.http.get("/api/usage", params={"groupBy": "colour"}).status_code == 400


@pytest.fixture
def dead(person: Person, worker: Worker, sql: Callable[..., list[dict[str, object]]]) -> str:
    """A run that failed although trying again might help."""
    job_id: str = person.finishes(person.workflow())["jobId"]
    sql(
        "UPDATE runs SET status = 'failed', is_dead = true, error = $2 WHERE id = $1",
        job_id,
        '{"code":"PROVIDER_UNAVAILABLE","detail":"Away.","retryable":true,"charged":"no"}',
    )
    return job_id


def test_a_dead_run_is_listed_until_it_is_replayed(person: Person, dead: str, environment: dict[str, str]) -> None:
    """JB31"""
    found = person.http.get("/api/runs", params={"dead": True}).json()["items"]
    assert [run["jobId"] for run in found] == [dead]
    listed = easel("runs", "list", "--dead", **environment)
    assert dead in listed.stdout
    assert "PROVIDER_UNAVAILABLE" in listed.stdout

    replayed = easel("runs", "replay", dead, **environment)

    assert replayed.stdout.startswith(f"{dead} runs again as "), replayed.stderr
    assert person.http.get("/api/runs", params={"dead": True}).json()["items"] == []
    old = person.http.get(f"/api/runs/{dead}").json()
    assert old["replayedAs"] in replayed.stdout
    assert "charged" not in easel("runs", "list", "--dead", **environment).stdout


def test_every_dead_run_is_replayed_at_once(person: Person, dead: str, environment: dict[str, str]) -> None:
    """JB31"""
    done = easel("runs", "replay", "--all", **environment)

    assert dead in done.stdout, done.stderr
    assert easel("runs", "replay", **environment).returncode == 2


def test_a_key_is_resumed_by_its_provider(environment: dict[str, str], person: Person) -> None:
    """JB29"""
    assert "in use again" in easel("runs", "resume-key", "local", **environment).stdout
    assert "set OPENAI_API_KEY" in easel("runs", "resume-key", "openai", **environment).stderr
