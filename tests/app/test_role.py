"""Server and worker under the database role that SECURITY.md gives them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.app.pictures import brings
from tests.app.running import Person, Server, Worker, execute

SECURITY = Path(__file__).parents[2] / "SECURITY.md"
ROLE = "easel_app"


@pytest.fixture
def lowly(own_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of processes with that role."""
    owners = own_environment["EASEL_DATABASE_URL"]
    superusers, lowlys = as_user(owners, "postgres"), as_user(owners, f"{ROLE}:change%20me")
    found = re.search(r"```sql\n(.*?)```", SECURITY.read_text(), re.DOTALL)
    assert found is not None
    create, *grants = filter(str.strip, found[1].split(";"))
    try:
        run_all(superusers, [create])
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError):
        pytest.skip("the test database has no superuser “postgres” who lets us in: roles cannot be made")
    run_all(owners, grants)
    yield own_environment | {"EASEL_DATABASE_URL": lowlys}
    run_all(superusers, [f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}"])


def as_user(database_url: str, user: str) -> str:
    url = urlsplit(database_url)
    return urlunsplit(url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}"))


def run_all(database_url: str, statements: list[str]) -> None:
    for statement in statements:
        asyncio.run(execute(database_url, statement))


def test_everything_works_for_a_role_that_can_only_change_rows(lowly: dict[str, str]) -> None:
    server, worker = Server(lowly), Worker(lowly)
    try:
        person = Person(server, lowly["EASEL_DATABASE_URL"], "lowly")
        guest = Person(server, lowly["EASEL_DATABASE_URL"], "guest")
        with person.http, guest.http:
            uses_everything(person, guest)
    finally:
        assert worker.stop() == 0
        assert server.stop() == 0
    assert "permission denied" not in server.text + worker.text
    assert "Traceback" not in server.text + worker.text, server.text + worker.text

    for forbidden in ("CREATE TABLE mine ()", "ALTER TABLE runs ADD mine int", "TRUNCATE runs", "DROP TABLE runs"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(execute(lowly["EASEL_DATABASE_URL"], forbidden))


def uses_everything(person: Person, guest: Person) -> None:
    workflow_id = person.workflow()
    path = f"/api/workflows/{workflow_id}"
    with person.at(workflow_id) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "lowly"}))
        update = {"op": "update", "kind": "node", "id": "a", "set": {"/data/x": 1}}
        socket.send(json.dumps({"type": "push", "clientSeq": 1, "ops": [update]}))
        while (said := json.loads(socket.recv(10)))["type"] != "result":
            pass
        assert said["outcome"] == "commit"
    assert person.finishes(workflow_id)["status"] == "completed"
    assert brings(person.http)["slug"]
    version = person.http.post(f"{path}/versions", json={"name": "kept"}).json()["version"]
    assert person.http.delete(f"{path}/nodes/b").status_code == 204
    assert person.http.post(f"{path}/versions/{version}/restore").status_code == 200
    link = person.http.post(f"{path}/shares", json={"role": "editor"}).json()
    assert guest.http.get(link["url"]).status_code == 303
    assert person.http.delete(f"{path}/shares/{link['id']}").status_code == 204
    assert person.http.post(f"{path}/tokens", json={"userId": "u", "name": "U", "role": "viewer"}).status_code == 201
    assert person.http.post("/api/tickets").status_code == 201
    assert person.http.delete(path).status_code == 204
    assert person.http.get("/metrics").status_code == person.http.get("/health").status_code == 200
