"""`Idempotency-Key`: one effect, one answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx
import pytest

from tests.app.running import Person

Sql = Callable[..., list[dict[str, object]]]
KEY = {"Idempotency-Key": "a key"}


def test_second_request_gets_the_first_answer(person: Person) -> None:
    first, second = (person.http.post("/api/workflows", json={"name": "x"}, headers=KEY) for _ in range(2))

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    for name in ("location", "content-type", "x-content-type-options"):
        assert first.headers[name] == second.headers[name]
    assert second.headers["idempotency-replayed"] == "true"
    assert len(person.http.get("/api/workflows").json()["items"]) == 1


def test_headers_of_a_write_are_kept(person: Person) -> None:
    path = f"/api/workflows/{person.workflow()}/nodes/a"

    first, second = (person.http.delete(path, headers=KEY) for _ in range(2))

    assert (first.status_code, second.status_code) == (204, 204)
    assert first.headers["easel-seq"] == second.headers["easel-seq"] == "2"
    assert person.http.delete(path, headers={"Idempotency-Key": "another"}).status_code == 404


def test_an_answer_with_a_new_secret_is_not_kept(person: Person, sql: Sql) -> None:
    """Whoever reads the database would have it; repeated, the request makes another one."""
    tokens = f"/api/workflows/{person.workflow()}/tokens"
    user = {"userId": "u", "name": "U", "role": "viewer", "expiresInS": 60}
    answers = [
        person.http.post(path, json=body, headers=KEY) for path, body in (("/api/tickets", None), (tokens, user))
    ]
    again = person.http.post("/api/tickets", headers=KEY)

    assert [answer.status_code for answer in (*answers, again)] == [201, 201, 201], [each.text for each in answers]
    assert again.json()["ticket"] != answers[0].json()["ticket"]
    assert sql("SELECT * FROM idempotency_keys WHERE account_id = $1 AND route NOT LIKE '%workflows'", person.id) == []


def test_concurrent_requests_have_one_effect(person: Person) -> None:
    def create(_: int) -> httpx.Response:
        return person.http.post("/api/workflows", json={"name": "x"}, headers=KEY)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(person.http.get("/api/workflows").json()["items"]) == 1


def test_other_body_is_a_conflict(person: Person) -> None:
    person.http.post("/api/workflows", json={"name": "x"}, headers=KEY)

    answer = person.http.post("/api/workflows", json={"name": "y"}, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")


def test_refusal_is_an_answer_too(person: Person) -> None:
    first, second = (person.http.post("/api/workflows", json={"name": 5}, headers=KEY) for _ in range(2))

    assert (first.status_code, first.content) == (422, second.content)


def test_key_counts_per_account_and_per_route(person: Person, stranger: Person) -> None:
    path = f"/api/workflows/{person.workflow()}/nodes/a"
    answers = [
        person.http.post("/api/workflows", json={"name": "x"}, headers=KEY),
        stranger.http.post("/api/workflows", json={"name": "y"}, headers=KEY),
        person.http.patch(path, json={"data": {"x": 1}}, headers=KEY),
        person.http.delete(path, headers=KEY),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 200, 204]


def test_run_is_started_once(person: Person) -> None:
    body = {
        "workflowId": person.workflow(),
        "nodeId": "a",
        "provider": "local",
        "promptSpec": {"basePrompt": "x"},
    }
    first, second = (person.http.post("/api/runs", json=body, headers=KEY) for _ in range(2))

    assert (first.status_code, second.json()) == (202, first.json())
    assert len(person.http.get("/api/runs").json()["items"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ü"])
def test_key_that_is_none_is_refused(person: Person, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}

    answer = person.http.post("/api/workflows", json={"name": "x"}, headers=headers)

    assert answer.status_code == 400
    assert "255" in answer.json()["detail"]


def _claimed(person: Person, sql: Sql, age: str) -> None:
    """An attempt of this very request that has no answer yet."""
    digest = sha256(b"\0" + b'{"name":"x"}').digest()
    sql(
        "INSERT INTO idempotency_keys (account_id, route, key, digest, created_at) "
        f"VALUES ($1, 'POST /api/workflows', 'a key', $2, now() - interval '{age}')",
        person.id,
        digest,
    )


def test_attempt_that_died_is_tried_again(person: Person, sql: Sql) -> None:
    _claimed(person, sql, "61 seconds")

    answer = person.http.post("/api/workflows", content='{"name":"x"}', headers=KEY)

    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


def test_attempt_under_way_is_waited_for(person: Person, sql: Sql) -> None:
    _claimed(person, sql, "1 second")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(person.http.post, "/api/workflows", content='{"name":"x"}', headers=KEY)
        sql("SELECT pg_sleep(0.2)")
        assert not waiting.done()
        sql("UPDATE idempotency_keys SET status = 418, headers = '[]', body = 'late' WHERE account_id = $1", person.id)
        answer = waiting.result()

    assert (answer.status_code, answer.content) == (418, b"late")


def test_key_is_forgotten_after_a_day(person: Person, sql: Sql) -> None:
    first = person.http.post("/api/workflows", json={"name": "x"}, headers=KEY)
    sql("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE account_id = $1", person.id)

    second = person.http.post("/api/workflows", json={"name": "y"}, headers=KEY)

    assert (first.status_code, second.status_code) == (201, 201)


def test_nobody_and_readers_leave_no_trace(person: Person, nobody: httpx.Client, sql: Sql) -> None:
    assert nobody.post("/api/workflows", json={}, headers=KEY).status_code == 401
    assert person.http.get("/api/workflows", headers=KEY).status_code == 200
    assert sql("SELECT 1 FROM idempotency_keys WHERE account_id = $1", person.id) == []
