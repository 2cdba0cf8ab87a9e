"""`easel watch`: a workflow followed live in a terminal, one line for each thing that happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import httpx
import msgspec
import structlog

from canvas.client import (
    Canvas,
    Connected,
    Disconnected,
    Edited,
    Joined,
    Left,
    Listening,
    News,
    Ran,
    Reloaded,
    Shown,
    Skipped,
)
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.protocol import Transaction

log = structlog.get_logger(__name__)

NAMED = 3  # records that a line names; of more it says how many
PLACE = {"/position", "/parentId"}
JSON_LINES = (Connected, Disconnected, Reloaded, Edited, Joined, Left, Ran, Skipped)  # all but moving cursors


async def watch(server_url: str, workflow_id: str, token: str, *, as_json: bool) -> None:
    """Until Ctrl-C or SIGTERM, or until nobody reads on. Raises EaselError when the server will not show it."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    canvas = Canvas(server_url, workflow_id, token)
    line = _as_json if as_json else Teller(canvas, await _names(server_url, workflow_id, token)).line
    news = canvas.news()
    async with canvas:
        printing = asyncio.create_task(_print_all(news, line), name="watch")
        stopped = asyncio.create_task(stopping.wait(), name="stop")
        try:
            await asyncio.wait({printing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not printing.done():
                printing.cancel()
        if not stopping.is_set():
            await printing


async def _print_all(listening: Listening, line: Callable[[News], str | None]) -> None:
    async for news in listening:
        text = line(news)
        if text is None:
            continue
        try:
            click.echo(text)
        except BrokenPipeError:  # `easel watch … | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return


async def _names(server_url: str, workflow_id: str, token: str) -> dict[str, str]:
    """Of the members, by account id; without them lines show ids of those whom nobody has seen here yet."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(base_url=server_url, headers=headers, timeout=5) as client:
            answer = await client.get(f"/api/workflows/{workflow_id}/members")
            answer.raise_for_status()
            return {member["accountId"]: member["name"] for member in answer.json()["items"]}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.debug("watch.names_unknown", reason=type(error).__name__)
        return {}


def _as_json(news: News) -> str | None:
    return msgspec.json.encode(news).decode() if isinstance(news, JSON_LINES) else None


class Teller:
    """News as sentences; None for what is not worth a line."""

    def __init__(self, canvas: Canvas, names: dict[str, str]) -> None:
        self._canvas = canvas
        self._names = names
        self._is_down = False
        self._runs: dict[str, tuple[Any, int]] = {}

    def line(self, news: News) -> str | None:
        at = news.transaction.at if isinstance(news, Edited) else datetime.now(UTC)
        text = self._text(news)
        return None if text is None else f"{at.astimezone():%H:%M:%S}  {text}"

    def _text(self, news: News) -> str | None:
        match news:
            case Connected():
                return self._connected(news)
            case Disconnected():
                was_down, self._is_down = self._is_down, True
                return None if was_down else f"Not connected ({news.reason.rstrip('.')}). Trying again …"
            case Edited():
                return self._edited(news.transaction)
            case Joined():
                return f"{self._name(news.user)} has come"
            case Left():
                return f"{self._name(news.user)} has left"
            case Ran():
                return self._ran(news.run)
            case Skipped():
                return f"… {news.count} more, which came too fast to print"
            case Shown() | Reloaded():
                return None

    def _connected(self, news: Connected) -> str:
        self._is_down = False
        people = sorted({self._name(user) for user in news.people})
        graph = self._canvas.graph
        what = f"“{graph.name}” at {news.seq}: {_count(len(graph.nodes), 'node')}, {_count(len(graph.edges), 'edge')}"
        return f"{what}; {', '.join(people) or 'nobody else'} here"

    def _edited(self, transaction: Transaction) -> str:
        by = transaction.by
        who = self._names.get(by.user_id, by.user_id)
        via = "" if by.origin == "user" else f" ({by.origin})"
        return f"{transaction.seq:>5}  {who}{via}: {describe(transaction.ops)}"

    def _name(self, user: dict[str, Any]) -> str:
        name = str(user.get("name", "Somebody"))
        if "id" in user:
            self._names[user["id"]] = name
        return name

    def _ran(self, run: dict[str, Any]) -> str | None:
        """A line at each change of status and at each quarter of the way."""
        progress = run.get("progress") or 0
        step = (run.get("status"), int(progress // 25))
        if self._runs.get(run["jobId"]) == step:
            return None
        self._runs[run["jobId"]] = step
        told = f"run {run['jobId']} on {run.get('nodeId')}: {step[0]}"
        if step[0] != "running":
            return told
        message = f" ({run['message']})" if run.get("message") else ""
        return f"{told} {progress:.0f} %{message}"


def describe(ops: list[Op]) -> str:
    """What a transaction did, in a few words: like things together, in the order in which they first came."""
    done: dict[str, list[str]] = {}
    for op in ops:
        match op:
            case Add():
                done.setdefault(f"added {op.kind}", []).append(op.record["id"])
            case Remove():
                done.setdefault(f"removed {op.kind}", []).extend(op.ids)
            case Update():
                done.setdefault(_change(op), []).append(op.id)
            case SetWorkflow():
                done.setdefault(_workflow_change(op), [])
    return ", ".join(_phrase(verb, ids) for verb, ids in done.items())


def _change(op: Update) -> str:
    pointers = {*op.set, *op.unset}
    if pointers == {"/position"}:
        return f"moved {op.kind}"
    if pointers <= PLACE and "/parentId" in pointers:
        parent_id = op.set.get("/parentId")
        return f"put into {parent_id}: {op.kind}" if parent_id is not None else f"took out of its group: {op.kind}"
    told = [f"set {', '.join(op.set)}"] if op.set else []
    if op.unset:
        told.append(f"cleared {', '.join(op.unset)}")
    return f"{' and '.join(told)} on {op.kind}"


def _workflow_change(op: SetWorkflow) -> str:
    told = [f"named it “{op.set['/name']}”"] if "/name" in op.set else []
    if "/viewport" in op.set:
        told.append("set the viewport")
    return " and ".join(told)


def _phrase(verb: str, ids: list[str]) -> str:
    if not ids:
        return verb
    if len(ids) <= NAMED:
        return f"{verb}{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
    before, _, kind = verb.rpartition(" ")
    return f"{before} {len(ids)} {kind}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
