"""JWTs of another issuer: whose are believed, and whose are not (CONTRACT §2, §3)."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.auth.issuer import ASK_AGAIN_AFTER_S, KEYS_FOR_S, LEEWAY_S, Identity, Issuer
from canvas.errors import NotSignedIn, Unavailable
from tests.app.running import Server

ISSUER, AUDIENCE = "https://auth.example/", "easel"
SECRET = "a secret that has thirty-two bytes or more"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, key_id: str | None) -> dict[str, Any]:
    algorithm: Any = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}.get(
        next((kind for kind in (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey) if isinstance(key, kind)), object),
        OKPAlgorithm,
    )
    found: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    return found if key_id is None else found | {"kid": key_id}


class Keys:
    """An issuer's published keys over real HTTP."""

    def __init__(self) -> None:
        self.document: Any = {"keys": [jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec"), jwk(ED_KEY, "ed")]}
        self.status = 200
        self.asked = 0
        keys = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys.asked += 1
                self.send_response(keys.status)
                self.end_headers()
                self.wfile.write(json.dumps(keys.document).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def keys() -> Iterator[Keys]:
    serving = Keys()
    yield serving
    serving.stop()


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    full = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": now + 600, "iat": now, "name": "Ada"} | changed
    return {name: value for name, value in full.items() if value is not None}


def token(
    key: Any = RSA_KEY, algorithm: str = "RS256", key_id: str | None = "rsa", headers: Any = None, **changed: Any
) -> str:
    more = ({} if key_id is None else {"kid": key_id}) | (headers or {})
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers=more)


def unsigned(header: dict[str, Any], **changed: Any) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, claims(**changed))
    ]
    return ".".join([*parts, ""])


def identify(
    keys: Keys | None, *tokens: str, secret: str | None = None, audience: str | None = AUDIENCE
) -> list[Identity | str]:
    """Whom each token speaks of, or the code it is refused with."""

    async def scenario() -> list[Identity | str]:
        async with httpx.AsyncClient(trust_env=False) as http:
            url = keys.url if keys else None
            issuer = Issuer(ISSUER, audience, keys_url=url, secret=secret, http=http)
            return [await outcome(issuer, one) for one in tokens]

    return asyncio.run(scenario())


async def outcome(issuer: Issuer, one: str) -> Identity | str:
    try:
        return await issuer.identify(one)
    except (NotSignedIn, Unavailable) as error:
        return error.code


@pytest.mark.parametrize(
    ("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (ED_KEY, "EdDSA", "ed")]
)
def test_token_of_each_kind_of_key_is_believed(keys: Keys, key: PrivateKeyTypes, algorithm: str, key_id: str) -> None:
    (found,) = identify(keys, token(key, algorithm, key_id))

    assert isinstance(found, Identity)
    assert (found.issuer, found.subject, found.name) == (ISSUER, "user-1", "Ada")


def test_shared_secret_is_enough() -> None:
    (found,) = identify(None, token(SECRET, "HS256", None), secret=SECRET)

    assert isinstance(found, Identity)


PUBLIC = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_with_the_public_key() -> str:
    """The oldest trick (RFC 8725, 2.1): the published key used as a shared secret."""
    from cryptography.hazmat.primitives import hashes, hmac

    signed = unsigned({"alg": "HS256", "kid": "rsa", "typ": "JWT"}).rstrip(".")
    mac = hmac.HMAC(PUBLIC, hashes.SHA256())
    mac.update(signed.encode())
    return signed + "." + base64.urlsafe_b64encode(mac.finalize()).rstrip(b"=").decode()


FORGED = {
    "another key": lambda: token(OTHER_KEY),
    "no signature": lambda: unsigned({"alg": "none", "kid": "rsa"}),
    "published key as a secret": hmac_with_the_public_key,
    "another kind of algorithm": lambda: token(EC_KEY, "ES256", "rsa"),
    "secret where keys are asked for": lambda: token(SECRET, "HS256", "rsa"),
    "another issuer": lambda: token(iss="https://evil.example/"),
    "another audience": lambda: token(aud="other"),
    "no audience": lambda: token(aud=None),
    "expired": lambda: token(exp=int(time.time()) - LEEWAY_S - 5),
    "not yet": lambda: token(nbf=int(time.time()) + LEEWAY_S + 60),
    "never expires": lambda: token(exp=None),
    "no subject": lambda: token(sub=None),
    "subject is no text": lambda: token(sub=7),
    "endless": lambda: token(exp=10**400),
    "key embedded in it": lambda: token(OTHER_KEY, key_id=None, headers={"jwk": jwk(OTHER_KEY, None)}),
    "key behind an address in it": lambda: token(OTHER_KEY, key_id="x", headers={"jku": "http://127.0.0.1:9/"}),
    "junk": lambda: "a.b.c",
    "half": lambda: token()[:-20],
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_token_that_is_not_the_issuers_is_refused(keys: Keys, forge: Callable[[], str]) -> None:
    assert identify(keys, forge()) == ["AUTH_REQUIRED"]


def test_clocks_may_differ_a_little(keys: Keys) -> None:
    (found,) = identify(keys, token(exp=int(time.time()) - 5))

    assert isinstance(found, Identity)


def test_without_a_configured_audience_any_is_taken(keys: Keys) -> None:
    found = identify(keys, token(aud="whoever"), token(aud=None), audience=None)

    assert all(isinstance(one, Identity) for one in found)


def test_keys_are_fetched_once_and_again_after_they_were_rotated(keys: Keys) -> None:
    now = [0.0]

    async def scenario() -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            issuer = Issuer(ISSUER, AUDIENCE, keys_url=keys.url, secret=None, http=http, clock=lambda: now[0])
            await asyncio.gather(*(issuer.identify(token()) for _ in range(10)))
            assert keys.asked == 1

            keys.document = {"keys": [jwk(OTHER_KEY, "next")]}
            rotated = token(OTHER_KEY, key_id="next")
            assert await outcome(issuer, rotated) == "AUTH_REQUIRED"  # invented keys must not make us ask each time
            assert keys.asked == 1
            now[0] += ASK_AGAIN_AFTER_S + 1
            assert isinstance(await outcome(issuer, rotated), Identity)
            assert keys.asked == 2
            assert await outcome(issuer, token()) == "AUTH_REQUIRED"  # the old key has been taken back
            now[0] += KEYS_FOR_S + 1
            await issuer.identify(rotated)
            assert keys.asked == 3

    asyncio.run(scenario())


def test_issuer_that_is_away_signs_nobody_out_and_nobody_in(keys: Keys) -> None:
    now = [0.0]

    async def scenario() -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            issuer = Issuer(ISSUER, AUDIENCE, keys_url=keys.url, secret=None, http=http, clock=lambda: now[0])
            keys.status = 500
            assert await outcome(issuer, token()) == "UNAVAILABLE"
            keys.status = 200
            assert isinstance(await outcome(issuer, token()), Identity)
            keys.status = 500
            now[0] += KEYS_FOR_S + 1
            assert isinstance(await outcome(issuer, token()), Identity)

    asyncio.run(scenario())


@pytest.mark.parametrize("document", [[], {}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AA"}]}, "x" * 300_000])
def test_document_without_a_usable_key_is_none(keys: Keys, document: Any) -> None:
    keys.document = document

    assert identify(keys, token()) == ["UNAVAILABLE"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"name": "  Grace Hopper "}, "Grace Hopper"),
        ({"name": None, "user_metadata": {"full_name": "Linus"}}, "Linus"),
        ({"name": None, "email": "ada@example.org"}, "ada"),
        ({"name": "x" * 300}, "x" * 80),
        ({"name": "\n\x00"}, "Somebody"),
        ({"name": 7, "user_metadata": "x"}, "Somebody"),
    ],
    ids=str,
)
def test_person_is_called_what_the_issuer_calls_them(keys: Keys, given: dict[str, Any], name: str) -> None:
    (found,) = identify(keys, token(**given))

    assert isinstance(found, Identity)
    assert found.name == name


def test_person_of_another_issuer_has_an_account_here(keys: Keys, another_server: Callable[..., Server]) -> None:
    server = another_server(
        EASEL_JWT_ISSUER=ISSUER, EASEL_JWT_AUDIENCE=AUDIENCE, EASEL_JWT_JWKS_URL=keys.url, EASEL_JWT_SECRET=""
    )
    subject = f"user-{time.time_ns()}"
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as http:

        def ask(path: str, bearer: str, method: str = "GET", **more: Any) -> httpx.Response:
            return http.request(method, path, headers={"Authorization": f"Bearer {bearer}"}, **more)

        me = ask("/api/me", token(sub=subject)).json()
        created = ask("/api/workflows", token(sub=subject), "POST", json={"name": "Mine"})
        workflow = f"/api/workflows/{created.json()['id']}"

        assert (me["name"], me["role"]) == ("Ada", "member")
        assert created.status_code == 201
        assert ask(workflow, token(EC_KEY, "ES256", "ec", sub=subject)).json()["role"] == "owner"
        assert ask(workflow, token(sub=subject + "x")).status_code == 404
        refused = ask("/api/me", token(OTHER_KEY, sub=subject))
        assert (refused.status_code, refused.json()["code"]) == (401, "AUTH_REQUIRED")
