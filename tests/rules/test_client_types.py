"""The TypeScript client's types are those of this server."""

from __future__ import annotations

from app.server import openapi_document
from app.typescript import client_types
from tests.rules.test_house import ROOT


def test_types_of_the_client_are_fresh() -> None:
    written = (ROOT / "web" / "src" / "client" / "schema.ts").read_text()

    assert written == client_types(openapi_document()), "the server says something else now: run `make types`"
