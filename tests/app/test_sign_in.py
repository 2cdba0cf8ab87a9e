"""Login links, cookies, tokens and tickets: coming in and going out."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.app.running import ADMIN_TOKEN, Person, Server

Sql = Callable[..., list[dict[str, object]]]


def test_login_link_signs_in_once(person: Person, nobody: httpx.Client) -> None:
    link = person.login_link()

    first, second = nobody.get(link), nobody.get(link)

    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert (second.status_code, second.json()["code"]) == (401, "LINK_USED")
    assert second.headers["cache-control"] == "no-store"
    assert nobody.get("/api/me").json()["id"] == person.id


def test_signing_in_anew_ends_the_session_before(person: Person, nobody: httpx.Client) -> None:
    nobody.get(person.login_link())
    before = {"Cookie": f"easel_session={nobody.cookies['easel_session']}"}
    nobody.get(person.login_link())

    assert nobody.get("/api/me").json()["id"] == person.id
    assert httpx.get(f"{person.server.url}/api/me", headers=before, trust_env=False).status_code == 401


def test_looking_at_a_login_link_does_not_use_it_up(person: Person, nobody: httpx.Client) -> None:
    link = person.login_link()

    assert nobody.head(link).status_code == 405
    assert nobody.get(link).status_code == 303


def test_expired_login_link_is_refused(person: Person, nobody: httpx.Client, sql: Sql) -> None:
    link = person.login_link()
    sql("UPDATE login_links SET expires_at = now() WHERE account_id = $1", person.id)

    assert nobody.get(link).status_code == 401


def test_cookie_is_kept_from_scripts_and_other_sites(person: Person, nobody: httpx.Client) -> None:
    cookie = nobody.get(person.login_link()).headers["set-cookie"].lower()

    assert cookie.startswith("easel_session=")
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    assert "domain" not in cookie


def test_cookie_is_secure_behind_https(
    person: Person, another_server: Callable[..., Server], nobody: httpx.Client
) -> None:
    secure = another_server(EASEL_PUBLIC_URL="https://easel.example")

    answer = nobody.get(person.login_link().replace(person.server.url, secure.url))

    assert "; secure" in answer.headers["set-cookie"].lower()


def test_secrets_are_not_in_the_database(person: Person, sql: Sql) -> None:
    secret = person.login_link().partition("token=")[2]

    for table in ("login_links", "api_tokens", "sessions"):
        rows = str(sql(f"SELECT * FROM {table} WHERE account_id = $1", person.id))
        assert secret not in rows
        assert person.token not in rows


def test_logout_ends_the_session_everywhere(person: Person, nobody: httpx.Client) -> None:
    with person.browser() as browser:
        stolen = browser.cookies["easel_session"]

        answer = browser.post("/api/logout")

        assert answer.status_code == 204
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        assert nobody.get("/api/me", headers={"Cookie": f"easel_session={stolen}"}).status_code == 401


def test_expired_session_is_nobody(person: Person, sql: Sql) -> None:
    with person.browser() as browser:
        sql("UPDATE sessions SET expires_at = now() WHERE account_id = $1", person.id)

        assert browser.get("/api/me").status_code == 401


def test_reading_with_a_cookie_needs_no_origin(person: Person) -> None:
    with person.browser() as browser:
        del browser.headers["origin"]

        assert browser.get("/api/me").status_code == 200


@pytest.mark.parametrize("name", ["localhost", "[::1]"])
def test_this_machines_names_are_one_origin(person: Person, name: str) -> None:
    with person.browser() as browser:
        origin = person.server.url.replace("127.0.0.1", name)

        assert browser.patch("/api/me", json={"color": "#00aa00"}, headers={"Origin": origin}).status_code == 200


def test_allowed_origin_may_write_and_is_told_so(person: Person, another_server: Callable[..., Server]) -> None:
    origin = "https://app.example"
    open_to_it = another_server(EASEL_ALLOWED_ORIGINS=f"{origin}, https://b.example")
    headers = {"Origin": origin, "Authorization": f"Bearer {person.token}"}
    with httpx.Client(base_url=open_to_it.url, headers=headers, trust_env=False) as client:
        asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "idempotency-key"}
        preflight = client.options("/api/me", headers=asked)
        answer = client.get("/api/me")
        stranger = client.get("/api/me", headers={"Origin": "https://c.example"})

    assert preflight.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in stranger.headers


def test_revoked_and_expired_tokens_are_refused(person: Person, sql: Sql) -> None:
    assert person.http.get("/api/me").status_code == 200
    sql("UPDATE api_tokens SET expires_at = now() WHERE id = $1", person.token_id)
    assert person.http.get("/api/me").status_code == 401
    sql("UPDATE api_tokens SET expires_at = NULL, revoked_at = now() WHERE id = $1", person.token_id)
    assert person.http.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Basic abc", "bearer x y", "Bearer easel_" + "x" * 5000, ADMIN_TOKEN, "Bearer é"],
)
def test_credential_that_is_none_is_refused(person: Person, authorization: str) -> None:
    with person.browser() as browser:  # a wrong token is not made good by a right cookie
        answer = browser.get("/api/me", headers={b"Authorization": authorization.encode()})

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")


def test_admin_token_is_the_owner(nobody: httpx.Client) -> None:
    me = nobody.get("/api/me", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}).json()

    assert me["role"] == "owner"


def test_changing_oneself(person: Person) -> None:
    changed = person.http.patch("/api/me", json={"name": "  Ada Lovelace ", "color": "#ABCDEF"}).json()

    assert (changed["name"], changed["color"]) == ("Ada Lovelace", "#abcdef")
    for wrong in (
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\nb"},
        {"color": "red"},
        {"color": "#12345g"},
        {"age": 3},
    ):
        assert person.http.patch("/api/me", json=wrong).status_code == 422
