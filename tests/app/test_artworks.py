"""Bringing pictures along over HTTP, as a page or a script does it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.app.pictures import a_photo_with_a_place, a_picture, asks, brings, puts, uploads
from tests.app.running import ADMIN_TOKEN, Person, Server, some_name

Sql = Callable[..., list[dict[str, Any]]]
FIELDS = [
    "id",
    "userId",
    "slug",
    "title",
    "description",
    "materials",
    "dimensions",
    "createdDate",
    "category",
    "tags",
    "originalUrl",
    "displayUrl",
    "thumbnailUrl",
    "iconUrl",
    "status",
    "isFeatured",
    "createdAt",
    "updatedAt",
    "thumbnailBlur",
    "displayBlur",
]


@pytest.fixture(scope="module")
def painter(server: Server, database_url: str) -> Iterator[Person]:
    person = Person(server, database_url, some_name())
    with person.http:
        yield person


def test_upload_becomes_an_artwork_in_four_sizes(painter: Person) -> None:
    """AW4: the contract's shape, and four pictures behind its four addresses."""
    content = a_picture("JPEG", (2400, 1600))
    key = uploads(painter.http, content, "application/octet-stream")

    answer = painter.http.post(
        "/api/artworks",
        json={
            "title": "  Three  foxes ",
            "originalKey": key,
            "description": "In the snow.\n\nAt dusk.",
            "materials": "Oil",
            "createdDate": "around 1960",
            "tags": ["fox", "snow", "fox", " "],
        },
    )

    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    assert list(made) == FIELDS
    assert answer.headers["location"] == f"/api/artworks/{made['id']}"
    assert made["id"].startswith("art_")
    assert (made["userId"], made["slug"], made["title"]) == (painter.id, "three-foxes", "Three foxes")
    assert (made["category"], made["tags"], made["status"], made["isFeatured"]) == (
        "other",
        ["fox", "snow"],
        "active",
        False,
    )
    assert made["dimensions"] is None
    assert made["thumbnailBlur"] != made["displayBlur"]  # one is square, the other is not
    assert all(15 <= len(base64.b64decode(made[name])) <= 25 for name in ("thumbnailBlur", "displayBlur"))
    assert painter.http.get(made["originalUrl"]).content == content
    sizes = {name: painter.http.get(made[name]) for name in ("displayUrl", "thumbnailUrl", "iconUrl")}
    assert all(one.headers["content-type"] == "image/webp" for one in sizes.values())
    assert painter.http.get(f"/api/artworks/{made['id']}").json() == {"data": made}
    assert painter.http.get(f"/api/artworks/{made['slug']}").json() == {"data": made}


def test_original_is_its_owners_alone_and_the_sizes_tell_no_place(
    painter: Person, stranger: Person, nobody: httpx.Client
) -> None:
    """AW8"""
    photo = a_photo_with_a_place()
    made = brings(painter.http, "Home", photo)

    answers = {name: painter.http.get(made[name]).content for name in ("displayUrl", "thumbnailUrl", "iconUrl")}

    assert [who.get(made["originalUrl"]).status_code for who in (nobody, stranger.http)] == [404, 404]
    own = painter.http.get(made["originalUrl"])
    assert own.content == photo
    assert own.headers["cache-control"].startswith("private")
    for content in answers.values():
        assert b"Exif" not in content
    assert nobody.get(made["displayUrl"]).status_code == 200


def test_link_shows_one_picture_for_a_while(painter: Person, stranger: Person, nobody: httpx.Client) -> None:
    """AW9"""
    made = brings(painter.http, "Linked")

    answer = painter.http.post("/api/objects/links", json={"url": made["originalUrl"], "expiresInS": 60})

    assert answer.status_code == 201
    url = httpx.URL(answer.json()["url"])
    assert nobody.get(url).status_code == 200
    other = brings(painter.http, "Another")["originalUrl"]
    for tampered in (
        url.copy_with(path=other),
        url.copy_set_param("expires", str(int(url.params["expires"]) + 1)),
        url.copy_set_param("signature", "é" + url.params["signature"][1:]),
    ):
        refused = nobody.get(tampered)
        assert (refused.status_code, refused.json()["code"]) == (403, "SIGNATURE_INVALID")
    assert nobody.get(url.copy_remove_param("signature")).status_code == 404
    for who in (stranger.http, nobody):
        assert who.post("/api/objects/links", json={"url": made["originalUrl"]}).status_code in {401, 404}


@pytest.mark.parametrize(
    ("left_out", "says"),
    [
        (["title"], "title"),
        (["originalKey"], "originalKey"),
        (["title", "originalKey"], "title, originalKey"),
    ],
)
def test_title_and_key_are_required(painter: Person, left_out: list[str], says: str) -> None:
    """AW4"""
    body = {"title": "x", "originalKey": "y"}

    for empty in ({}, dict.fromkeys(left_out, ""), dict.fromkeys(left_out)):
        answer = painter.http.post(
            "/api/artworks", json={name: value for name, value in body.items() if name not in left_out} | empty
        )
        assert answer.status_code == 400
        assert answer.json()["message"] == f"Missing required fields: {says}."


def test_what_is_no_picture_is_refused_and_can_be_replaced(painter: Person) -> None:
    """AW4"""
    address = asks(painter.http)
    body = {"title": "x", "originalKey": address["key"]}
    early = painter.http.post("/api/artworks", json=body)
    assert puts(address, b"<html>" * 99) == 204

    answer = painter.http.post("/api/artworks", json=body)

    assert (early.status_code, early.json()["code"]) == (422, "UPLOAD_MISSING")
    assert (answer.status_code, answer.json()["code"]) == (422, "IMAGE_INVALID")
    truncated = a_picture("JPEG", (900, 900))[:4000]
    assert puts(address, truncated) == 204
    assert painter.http.post("/api/artworks", json=body).status_code == 422
    assert puts(address, a_picture()) == 204
    assert painter.http.post("/api/artworks", json=body).status_code == 201


def test_key_belongs_to_its_account_and_is_used_once(painter: Person, stranger: Person) -> None:
    """AW3"""
    key = uploads(painter.http, a_picture())
    body = {"title": "Mine", "originalKey": key}

    foreign = stranger.http.post("/api/artworks", json=body)
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: painter.http.post("/api/artworks", json=body), range(4)))

    assert foreign.status_code == 404
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    again = painter.http.post("/api/artworks", json=body)
    made = next(answer.json()["data"] for answer in answers if answer.status_code == 201)
    assert (again.status_code, again.json()["code"], again.json()["artworkId"]) == (409, "UPLOAD_USED", made["id"])
    invented = painter.http.post("/api/artworks", json=body | {"originalKey": "originals/x/y.png"})
    assert invented.status_code == 404


def test_address_takes_one_upload_as_it_was_signed(painter: Person, nobody: httpx.Client) -> None:
    """AW2"""
    address = asks(painter.http, "image/png")
    url = httpx.URL(address["uploadUrl"])

    def tries(where: httpx.URL, **headers: str) -> tuple[int, str]:
        answer = nobody.put(where, content=b"x", headers={"Content-Type": "image/png"} | headers)
        return answer.status_code, answer.json()["code"] if answer.content else ""

    assert tries(url.copy_set_param("max", "999999999")) == (403, "SIGNATURE_INVALID")
    assert tries(url.copy_set_param("expires", "9999999999")) == (403, "SIGNATURE_INVALID")
    assert tries(url.copy_with(path=url.path[:-1] + "0"))[0] in {403}
    assert tries(url, **{"Content-Type": "text/html"}) == (403, "SIGNATURE_INVALID")
    assert tries(url.copy_with(query=None)) == (401, "AUTH_REQUIRED")
    assert nobody.get(url).status_code == 404
    assert puts(address, a_picture()) == 204
    answer = painter.http.post("/api/artworks", json={"title": "x", "originalKey": address["key"]})
    assert answer.status_code == 201
    assert tries(url) == (409, "UPLOAD_USED")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"filename": "a.svg", "contentType": "image/svg+xml"}, 422),
        ({"filename": "a.html", "contentType": "text/html"}, 422),
        ({"filename": "", "contentType": "image/png"}, 422),
        ({"contentType": "image/png"}, 422),
        ({"filename": "a.png", "contentType": "image/png", "sizeBytes": 0}, 422),
        ({"filename": "a.png", "contentType": "image/png", "sizeBytes": (50 << 20) + 1}, 413),
        ({"filename": "a.png", "contentType": "image/png; charset=x", "sizeBytes": 50 << 20}, 200),
        ({"filename": "a\u0000.png", "contentType": "image/png"}, 422),
    ],
)
def test_what_cannot_be_taken_is_said_before_it_is_sent(painter: Person, body: dict[str, Any], status: int) -> None:
    """AW1"""
    assert painter.http.post("/api/artworks/upload-url", json=body).status_code == status


def test_limit_is_exact_and_the_admins_token_has_none(
    server: Server, newcomer: Callable[..., Person], sql: Sql
) -> None:
    """AW6"""
    person = newcomer()
    sql("UPDATE accounts SET artwork_limit = 2 WHERE id = $1", person.id)
    keys = [uploads(person.http, a_picture()) for _ in range(5)]

    def brings_one(key: str) -> httpx.Response:
        return person.http.post("/api/artworks", json={"title": "One of many", "originalKey": key})

    with ThreadPoolExecutor(5) as people:
        answers = list(people.map(brings_one, keys))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429, 429]
    refused = next(answer.json() for answer in answers if answer.status_code == 429)
    assert (refused["error"], refused["code"]) == ("Artwork limit reached", "QUOTA_EXCEEDED")
    assert sql("SELECT artwork_count FROM accounts WHERE id = $1", person.id) == [{"artwork_count": 2}]
    gone = person.http.get("/api/artworks").json()["items"][0]["id"]
    assert [person.http.delete(f"/api/artworks/{gone}").status_code for _ in range(2)] == [204, 204]
    assert sql("SELECT artwork_count FROM accounts WHERE id = $1", person.id) == [{"artwork_count": 1}]
    refused_key = next(key for key, answer in zip(keys, answers, strict=True) if answer.status_code == 429)
    assert brings_one(refused_key).status_code == 201
    assert person.http.post(f"/api/artworks/{gone}/restore").status_code == 429

    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as admin:
        owner = admin.get("/api/me").json()["id"]
        sql("UPDATE accounts SET artwork_limit = 0 WHERE id = $1", owner)
        brings(admin, "Without end")
        sql("UPDATE accounts SET artwork_limit = NULL WHERE id = $1", owner)


def test_slugs_of_one_title_at_once_are_all_different(newcomer: Callable[..., Person]) -> None:
    """AW5"""
    person = newcomer()
    with ThreadPoolExecutor(6) as people:
        slugs = list(people.map(lambda _: brings(person.http, "Größe")["slug"], range(6)))

    assert sorted(slugs) == ["grösse", *(f"grösse-{number}" for number in range(1, 6))]
    assert brings(person.http, "🎨!")["slug"] == "artwork"


def test_trash_frees_the_slug_and_gives_the_artwork_back(newcomer: Callable[..., Person]) -> None:
    """AW10"""
    person = newcomer()
    first = brings(person.http, "Dusk")
    path = f"/api/artworks/{first['id']}"
    assert person.http.delete(path).status_code == 204

    second = brings(person.http, "Dusk")
    trashed = person.http.get("/api/artworks", params={"trash": True}).json()["items"]
    restored = person.http.post(f"{path}/restore").json()["data"]

    assert second["slug"] == "dusk"
    assert [(one["id"], one["status"]) for one in trashed] == [(first["id"], "trashed")]
    assert (restored["slug"], restored["status"]) == ("dusk-1", "active")
    assert person.http.post(f"{path}/restore").json()["data"] == restored
    assert person.http.patch("/api/artworks/dusk-1", json={"title": "Dawn"}).json()["data"]["slug"] == "dusk-1"


def test_list_is_searched_and_paged(newcomer: Callable[..., Person]) -> None:
    """AW11"""
    person = newcomer()
    made = [
        brings(person.http, "Red fox", category="animals", tags=["fox", "red"]),
        brings(person.http, "Lighthouse 100%", description="A fox is nowhere", tags=["sea"]),
        brings(person.http, "Blue_fox", tags=["fox"]),
    ]

    def finds(**params: Any) -> list[int]:
        answer = person.http.get("/api/artworks", params=params)
        assert answer.status_code == 200, answer.text
        ids = [one["id"] for one in made]
        return [ids.index(one["id"]) for one in answer.json()["items"]]

    assert finds() == [2, 1, 0]
    assert finds(q="FOX") == [2, 1, 0]
    assert finds(q="0%") == [1]
    assert finds(q="blue_") == [2]
    assert finds(category="animals") == [0]
    assert finds(tags="fox") == [2, 0]
    assert finds(tags="red, fox") == [0]
    assert finds(tags="red", category="other") == []
    first = person.http.get("/api/artworks", params={"limit": 2}).json()
    brings(person.http, "New")
    assert finds(limit=2, cursor=first["nextCursor"]) == [0]
    assert person.http.get("/api/artworks", params={"cursor": "x"}).status_code == 400


def test_change_is_a_merge_patch(painter: Person, stranger: Person) -> None:
    """AW11"""
    made = brings(painter.http, "Before", description="x", materials="Ink", category="print", tags=["a"])
    path = f"/api/artworks/{made['id']}"
    change = {"title": "After", "description": None, "category": None, "tags": None, "isFeatured": True}

    changed = painter.http.patch(path, json=change).json()["data"]

    assert {name: changed[name] for name in FIELDS if changed[name] != made[name]} == {
        "title": "After",
        "description": None,
        "category": "other",
        "tags": [],
        "isFeatured": True,
        "updatedAt": changed["updatedAt"],
    }
    for bad in (
        {"title": None},
        {"title": " "},
        {"title": "x" * 201},
        {"isFeatured": None},
        {"id": "art_x"},
        {"slug": "x"},
        {"tags": ["x"] * 51 + [str(n) for n in range(51)]},
        {"description": "data:image/png;base64," + "A" * 100},
        {"description": "\u0000"},
        {"materials": "\u0007"},
    ):
        assert painter.http.patch(path, json=bad).status_code == 422, bad
    for call in (stranger.http.get, stranger.http.delete):
        assert call(path).status_code == 404
    assert stranger.http.patch(path, json={"title": "Mine"}).status_code == 404
    assert stranger.http.post(f"{path}/restore").status_code == 404


def test_node_shows_the_artwork_if_its_maker_may_edit(painter: Person, newcomer: Callable[..., Person]) -> None:
    """AW7"""
    workflow_id = painter.workflow()
    viewer = newcomer()
    painter.shares(workflow_id, viewer, "viewer")
    place = {"workflowId": workflow_id, "nodeId": "a"}

    made = brings(painter.http, "On a node", workflowId=workflow_id, nodeId="a")

    data = painter.http.get(f"/api/workflows/{workflow_id}/nodes/a").json()["data"]
    shown = {name: data[name] for name in ("imageUrl", "thumbnailUrl", "status", "kept")}
    assert shown == {
        "imageUrl": made["displayUrl"],
        "thumbnailUrl": made["thumbnailUrl"],
        "status": "completed",
        "kept": 1,
    }
    last = painter.http.get(f"/api/workflows/{workflow_id}/ops").json()["items"][-1]
    assert last["by"]["origin"] == "rest"
    key = uploads(viewer.http, a_picture())
    body = {"title": "x", "originalKey": key}
    assert viewer.http.post("/api/artworks", json=body | place).status_code == 403
    stranger = {"workflowId": "wf_unknown", "nodeId": "a"}
    assert viewer.http.post("/api/artworks", json=body | stranger).status_code == 404
    assert painter.http.post("/api/artworks", json=body | place | {"nodeId": "z"}).status_code == 404
    assert painter.http.post("/api/artworks", json=body | {"nodeId": "a"}).status_code == 422
    assert viewer.http.post("/api/artworks", json=body).status_code == 201


def test_sent_again_with_its_key_it_is_one_artwork(painter: Person) -> None:
    """AW3"""
    body = {"title": "Once", "originalKey": uploads(painter.http, a_picture())}
    headers = {"Idempotency-Key": secrets.token_hex(8)}

    first, second = (painter.http.post("/api/artworks", json=body, headers=headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
