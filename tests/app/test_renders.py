"""My Renders over HTTP: marked, put away, brought back, saved under a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from app.routes.renders import MAX_AT_ONCE
from tests.app.running import Person, Server, Worker, some_name


@pytest.fixture(scope="module")
def painter(server: Server, worker: Worker, database_url: str) -> Iterator[Person]:
    person = Person(server, database_url, some_name())
    with person.http:
        person.finishes(person.workflow())
        yield person


@pytest.fixture
def render(painter: Person) -> dict[str, Any]:
    found: dict[str, Any] = painter.http.get("/api/renders").json()["items"][0]
    return found


def listed(person: Person, **filters: str) -> list[str]:
    return [item["id"] for item in person.http.get("/api/renders", params=filters).json()["items"]]


def test_favourite(painter: Person, render: dict[str, Any]) -> None:
    """MR5"""
    path = f"/api/renders/{render['id']}"
    assert listed(painter, favorite="true") == []

    marked = painter.http.patch(path, json={"isFavorite": True})

    assert (marked.status_code, marked.json()) == (200, render | {"isFavorite": True})
    assert listed(painter, favorite="true", model="studio-1", q="dusk LIGHT") == [render["id"]]
    assert painter.http.patch(path, json={"isFavorite": False}).json() == render
    assert painter.http.patch(path, json={"isFavorite": None}).status_code == 422
    assert painter.http.patch(path, json={"prompt": "x"}).status_code == 422


def test_deleted_picture_comes_back_and_its_address_never_stops(
    painter: Person, render: dict[str, Any], nobody: httpx.Client
) -> None:
    """MR3"""
    path = f"/api/renders/{render['id']}"

    answers = [painter.http.delete(path).status_code for _ in range(2)]

    assert answers == [204, 204]
    assert (listed(painter), listed(painter, deleted="true")) == ([], [render["id"]])
    assert painter.http.get(path).status_code == 404
    assert nobody.get(render["imageUrl"]).status_code == 200
    restored = painter.http.post(f"{path}/restore")
    assert (restored.status_code, restored.json()) == (200, render)
    assert (listed(painter), listed(painter, deleted="true")) == ([render["id"]], [])


def test_many_at_once_passes_over_what_is_not_ones_own(
    painter: Person, stranger: Person, render: dict[str, Any]
) -> None:
    """MR2"""
    body = {"ids": [render["id"], "ren_nothing"], "isDeleted": True}

    theirs = stranger.http.patch("/api/renders", json=body)
    own = painter.http.patch("/api/renders", json=body)

    assert (theirs.status_code, theirs.json()) == (200, {"ids": []})
    assert own.json() == {"ids": [render["id"]]}
    assert painter.http.patch("/api/renders", json=body | {"isDeleted": False}).json() == own.json()
    assert listed(painter) == [render["id"]]
    too_many = painter.http.patch("/api/renders", json={"ids": ["x"] * (MAX_AT_ONCE + 1)})
    assert too_many.status_code == 422


@pytest.mark.parametrize("q", ["x" * 201, "x " * 101])
def test_search_for_a_book_is_refused(painter: Person, q: str) -> None:
    assert painter.http.get("/api/renders", params={"q": q}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("a fox in the snow", "a fox in the snow.png"),
        ("../../etc/passwd", "etc passwd.png"),
        ('a"; filename="x.exe', "a filename= x.exe.png"),
        ("x\r\nSet-Cookie: a=b", "x Set-Cookie a=b.png"),
        ("Füchse 狐", "Füchse 狐.png"),
        ("photo\u202egpj.exe", "photo gpj.exe.png"),
        ("y" * 300, "y" * 100 + ".png"),
    ],
)
def test_picture_is_saved_under_a_name_that_fits(
    nobody: httpx.Client, render: dict[str, Any], asked: str, name: str
) -> None:
    """MR6"""
    answer = nobody.get(render["imageUrl"], params={"download": asked})

    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name
    assert answer.content.startswith(b"\x89PNG")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("asked", ["", "...", "/", "  "])
def test_name_that_is_none_becomes_one(nobody: httpx.Client, render: dict[str, Any], asked: str) -> None:
    """MR6"""
    disposition = nobody.get(render["imageUrl"], params={"download": asked}).headers["content-disposition"]

    assert disposition.startswith('attachment; filename="easel-')
    assert "content-disposition" not in nobody.get(render["imageUrl"]).headers
