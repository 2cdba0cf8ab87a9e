"""Accounts: the owner of this Easel, and the people who were given a link."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Literal

import msgspec

from canvas.errors import Conflict, Invalid, NotFound
from canvas.ids import new_id
from canvas.store.postgres import Connection, Pool, reaching_the_database
from canvas.values import check_json

AccountRole = Literal["owner", "member", "guest"]
"""`guest`: came through a link, or is another app's user: at home in what was shared with them, and nowhere else."""
MAX_NAME_CHARACTERS = 80

# Distinct at a glance, legible under white text (contrast of at least 4.5 against it).
COLORS = ("#c2410c", "#0f766e", "#6d28d9", "#be185d", "#1d4ed8", "#4d7c0f", "#a16207", "#0e7490", "#b91c1c", "#7e22ce")


class Account(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    color: str
    role: AccountRole
    created_at: datetime


def clean_name(name: str) -> str:
    """Raises Invalid for a name that is empty or too long."""
    name = name.strip()
    check_json(name)
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise Invalid("A name holds no line breaks or other control characters.")
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise Invalid(f"A name has 1 to {MAX_NAME_CHARACTERS} characters.")
    return name


def clean_color(color: str) -> str:
    if len(color) != 7 or color[0] != "#" or any(digit not in "0123456789abcdef" for digit in color[1:].lower()):
        raise Invalid("A color is written “#rrggbb”.")
    return color.lower()


async def ensure_owner(connection: Connection) -> Account:
    """The owner's account, made when this Easel is new."""
    await connection.execute(_INSERT_OWNER, new_id("acc"), "Owner", COLORS[0])
    row = await connection.fetchrow(_OWNER)
    assert row is not None
    return Account(**row)


async def find_or_create(connection: Connection, name: str) -> Account:
    """The account of that name, or a new one. Names are how an operator speaks of accounts."""
    name = clean_name(name)
    row = await connection.fetchrow(_BY_NAME, name)
    return Account(**row) if row else await create(connection, name)


async def create(
    connection: Connection, name: str, *, role: AccountRole = "member", color: str | None = None
) -> Account:
    """Without a color it gets the next of `COLORS`."""
    count = await connection.fetchval("SELECT count(*) FROM (SELECT FROM accounts LIMIT 1000) AS counted")
    color = COLORS[count % len(COLORS)] if color is None else clean_color(color)
    row = await connection.fetchrow(_INSERT, new_id("acc"), clean_name(name), color, role)
    assert row is not None
    return Account(**row)


async def list_accounts(connection: Connection) -> list[Account]:
    return [Account(**row) for row in await connection.fetch(_ALL)]


LIMITS = ("artwork_limit", "runs_per_day", "live_runs", "budget_usd_per_day")
"""What may be set for one account, beside the setting for all."""


async def set_limit(connection: Connection, wanted: str, limit: str, value: float | None) -> Account:
    """`limit` is one of LIMITS; None: as the setting says. Raises as `change_named`."""
    assert limit in LIMITS
    account = await change_named(connection, wanted, name=None, color=None)
    await connection.execute(f"UPDATE accounts SET {limit} = $2 WHERE id = $1", account.id, value)
    return account


async def change_named(connection: Connection, wanted: str, *, name: str | None, color: str | None) -> Account:
    """`wanted`: an id or a name. Raises NotFound, and Conflict for a name that several have."""
    rows = await connection.fetch(_WANTED, wanted)
    if not rows:
        raise NotFound(f"There is no account “{wanted}”. `easel account list` shows those there are.")
    if len(rows) > 1:
        raise Conflict(f"Several accounts are called “{wanted}”. Give the id of the one you mean.")
    name = clean_name(name) if name is not None else None
    color = clean_color(color) if color is not None else None
    row = await connection.fetchrow(_CHANGE, rows[0]["id"], name, color)
    assert row is not None
    return Account(**row)


class Accounts:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, account_id: str) -> Account:
        async with reaching_the_database():
            row = await self._pool.fetchrow(_BY_ID, account_id)
        if row is None:
            raise NotFound("There is no such account.")
        return Account(**row)

    async def change(self, account_id: str, *, name: str | None, color: str | None) -> Account:
        name = clean_name(name) if name is not None else None
        color = clean_color(color) if color is not None else None
        async with reaching_the_database():
            row = await self._pool.fetchrow(_CHANGE, account_id, name, color)
        if row is None:
            raise NotFound("There is no such account.")
        return Account(**row)


_COLUMNS = "id, name, color, role, created_at"
_INSERT_OWNER = """
    INSERT INTO accounts (id, name, color, role) VALUES ($1, $2, $3, 'owner')
    ON CONFLICT (role) WHERE role = 'owner' DO NOTHING"""
_OWNER = f"SELECT {_COLUMNS} FROM accounts WHERE role = 'owner'"
_BY_ID = f"SELECT {_COLUMNS} FROM accounts WHERE id = $1"
_BY_NAME = f"SELECT {_COLUMNS} FROM accounts WHERE name = $1 AND role <> 'guest' ORDER BY created_at LIMIT 1"
_WANTED = "SELECT id FROM accounts WHERE id = $1 OR name = $1 ORDER BY id = $1 DESC LIMIT 2"
_ALL = f"SELECT {_COLUMNS} FROM accounts ORDER BY created_at, id"
_INSERT = f"INSERT INTO accounts (id, name, color, role) VALUES ($1, $2, $3, $4) RETURNING {_COLUMNS}"
_CHANGE = f"""
    UPDATE accounts SET name = coalesce($2, name), color = coalesce($3, color) WHERE id = $1 RETURNING {_COLUMNS}"""
