"""The page's own client as a tab of the simulator: `web/src/client` runs in Node, the weather acts on its messages.

Node is asked one thing at a time and answers when nothing in it can go on, so a seed tells the same story everywhere.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from canvas import protocol
from canvas.graph import Graph, Record
from canvas.ops import Op
from tests.simulation.network import Wire
from tests.simulation.tab import FORGETS, Tab
from tests.simulation.world import World

DRIVER = Path("web", "src", "simulation", "driver.ts")
NO_SERVER_S = 0.05  # until a browser says that nobody listens
LATEST_RELOAD_S = 0.1  # after a page dials again: in the middle of what it writes to its disk

_ops = msgspec.json.Decoder(list[Op])


class Deed(msgspec.Struct, frozen=True):
    """Something that a tab did."""

    do: str
    tab: str
    socket: int = -1
    text: str = ""
    client: str | None = None
    push: int | None = None
    outcome: str = ""
    code: str | int | None = None
    detail: str = ""


class State(msgspec.Struct, frozen=True, rename="camel"):
    """What a tab is after all that."""

    client_id: str
    epoch: str | None
    seq: int
    is_behind: bool
    connection: str
    role: str | None
    session: str | None
    waiting: list[int]
    peers: dict[str, dict[str, Any]]
    shown: dict[str, Any]
    confirmed: dict[str, Any] | None = None
    """The document without what waits, when it is another than last time."""


class Views(msgspec.Struct, frozen=True):
    view: dict[str, Any]
    laid: dict[str, Any]


class Reply(msgspec.Struct, frozen=True):
    did: list[Deed]
    states: dict[str, State]
    wake: float | None = None
    found: Views | None = None


class Node:
    """The process in which the client runs."""

    def __init__(self, executable: str, bundle: Path) -> None:
        self._process = subprocess.Popen([executable, str(bundle)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reply = msgspec.json.Decoder(Reply)

    def ask(self, do: str, *, tab: str = "", now: float = 0.0, **command: Any) -> Reply:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode({"do": do, "tab": tab, "now": now, **command}) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"Node broke off when it was asked to {do}; its own words are above.")
        return self._reply.decode(line)

    def stop(self) -> None:
        self._process.communicate(timeout=10)


class Pages:
    """All tabs of one story, and the time they live in."""

    def __init__(self, node: Node, world: World) -> None:
        self._node = node
        self._world = world
        self._alarm: asyncio.TimerHandle | None = None
        self.by_name: dict[str, Page] = {}
        node.ask("reset")

    def ask(self, name: str, do: str, *, now: float | None = None, **command: Any) -> Reply:
        loop = asyncio.get_running_loop()
        reply = self._node.ask(do, tab=name, now=loop.time() * 1000 if now is None else now, **command)
        for deed in reply.did:
            self.by_name[deed.tab].do(deed)
        for tab, state in reply.states.items():
            self.by_name[tab].become(state)
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if reply.wake is None else loop.call_at(reply.wake / 1000, self._tick, reply.wake)
        return reply

    def _tick(self, at: float) -> None:
        self.ask("", "tick", now=max(at, asyncio.get_running_loop().time() * 1000))


class Page(Tab):
    """A tab whose every decision is the real client's; here are only its person, its cable and the notes."""

    def __init__(self, name: str, account_id: str, seed: int, world: World, pages: Pages, records: Records) -> None:
        super().__init__(name, account_id, name, seed, world)
        self._world = world
        self._pages = pages
        self._records = records
        self._state: State | None = None
        self._wires: dict[int, Wire] = {}
        pages.by_name[name] = self

    @property
    def is_live(self) -> bool:
        return self._state is not None and self._state.connection == "live" and not self._state.is_behind

    def open(self) -> None:
        self._wires.clear()
        self._pages.ask(self.name, "open", account=self.account_id)

    def reload(self) -> None:
        """The tab dies without a word and comes back; what it had on disk is all it has."""
        self._world.counts["pages reloaded"] += 1
        self._world.note(f"{self.name} is reloaded, waits for {sorted(self.waiting)}")
        self._records.crashed(self.name)
        self._pages.ask(self.name, "crash")
        self.wire = None
        self.open()

    # What the person does

    def edit(self) -> None:
        self._world.counts["edits"] += 1
        push = self._records.made(self.name)
        dice = self.editor.random.random()
        if dice < 0.2:
            self._pages.ask(self.name, "undo" if dice < 0.14 else "redo", push=push)
            return
        ops = self.editor.edit(_graph_of(self.views().view), self.replica.seq)
        self._pages.ask(self.name, "push", push=push, ops=ops)

    def show(self, keys: dict[str, Any]) -> None:
        if self.is_live:
            self._pages.ask(self.name, "show", set=keys)

    def resync(self) -> None:
        if self.is_live:
            self._world.counts["resyncs"] += 1
            self._pages.ask(self.name, "resync")

    def twin(self, name: str) -> Tab:
        """“Duplicate tab”: this client takes its id anew with every page, so the two have nothing in common."""
        self.is_shared = False
        twin = Page(name, self.account_id, self._seed, self._world, self._pages, self._records)
        twin.open()
        return twin

    def views(self) -> Views:
        found = self._pages.ask(self.name, "view").found
        assert found is not None
        return found

    # What the client does

    def do(self, deed: Deed) -> None:
        match deed.do:
            case "dial":
                self._dial(deed.socket)
            case "hang up":
                self._hang_up(deed.socket)
            case "say":
                self._say_on(deed)
            case "saved" if deed.push is not None:
                self._records.saved.add(deed.push)
            case "answered" if deed.push is not None:
                self._world.note(f"{self.name} tells its person of {deed.push}: {deed.outcome} {deed.code or ''}")
                self._records.answered(self.name, deed.push, deed.outcome)
            case "notice" if deed.code == "ROLE_CHANGED":
                self._world.counts["roles told"] += 1
            case "notice" if deed.code == "NOTHING_LEFT":
                self._world.counts["undos of nothing"] += 1
            case "notice":
                self._world.wrong(f"{self.name} was told {deed.code}: {deed.detail}")

    def _dial(self, socket: int) -> None:
        loop = asyncio.get_running_loop()
        server = self._world.some_server(self)
        if server is None:
            loop.call_later(NO_SERVER_S, self._closed, socket, 1006)
            return
        if self._wires and self.editor.random.random() < FORGETS:
            loop.call_later(self.editor.random.uniform(0.0, LATEST_RELOAD_S), self.reload)
        self._dials += 1
        wire = Wire(f"{self.account_id}/{self.name}/{self._dials}", self, self._world.counts)
        self.wire = self._wires[socket] = wire
        server.accept(wire, self.account_id)
        self._world.note(f"{self.name} dials {server.name}")
        loop.call_soon(self._opened, socket, wire)

    def _opened(self, socket: int, wire: Wire) -> None:
        if wire is self.wire:
            self._pages.ask(self.name, "opened", socket=socket)

    def _hang_up(self, socket: int) -> None:
        wire = self._wires.get(socket)
        if wire is not None:
            wire.hang_up()
        if wire is self.wire:
            self.wire = None

    def _say_on(self, deed: Deed) -> None:
        if deed.push is not None and deed.client is not None:
            number = msgspec.json.decode(deed.text)["clientSeq"]
            self._records.carries[self.account_id, deed.client, number] = deed.push
        wire = self._wires.get(deed.socket)
        if wire is not None and wire is self.wire:
            wire.say(deed.text)

    # What comes over the cable

    def heard(self, wire: Wire, payload: bytes) -> None:
        if wire is not self.wire:
            return
        text = payload.decode()
        if text.startswith('{"type":"welcome"'):
            self._world.counts[f"welcomes by {msgspec.json.decode(payload)['mode']}"] += 1
        self._pages.ask(self.name, "heard", socket=self._number_of(wire), text=text)

    def closed(self, wire: Wire, code: int) -> None:
        if wire is self.wire:
            self._world.note(f"{self.name} is closed: {code}")
            self.wire = None
            self._closed(self._number_of(wire), code)

    def _closed(self, socket: int, code: int) -> None:
        self._pages.ask(self.name, "closed", socket=socket, code=code)

    def _number_of(self, wire: Wire) -> int:
        return next(number for number, each in self._wires.items() if each is wire)

    # What it is then

    def become(self, state: State) -> None:
        self._state = state
        self.client_id, self.epoch, self.role = state.client_id, state.epoch, state.role or ""
        self.session_id, self.shown = state.session or "", state.shown
        self.is_out = state.connection == "stopped"
        self.waiting = {number: [] for number in state.waiting}
        self.replica.epoch, self.replica.seq, self.replica.sessions = state.epoch, state.seq, state.peers
        if state.confirmed is not None:
            self.replica.graph = _graph_of(state.confirmed)
            self._confirmed = drawn(state.confirmed)
        if state.epoch is not None and not state.is_behind:
            self._check_confirmed(state.epoch, state.seq)

    def _check_confirmed(self, epoch: str, seq: int) -> None:
        documents = self._world.documents[epoch]
        if seq >= len(documents):
            self._world.wrong(f"{self.name} is at {seq} of {len(documents) - 1} committed (PU8)")
        elif (was := self._records.canonical(documents[seq])) != self._confirmed:
            self._world.wrong(
                f"{self.name} holds at {seq}\n    {self._confirmed!r}\n  and the log says\n    {was!r} (OP2)"
            )


class Records:
    """Which edit became which push, and what its person was told of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[int, str] = {}
        self.carries: dict[tuple[str, str, int], int] = {}
        """Which edit a client's number was last used for."""
        self.saved: set[int] = set()
        self.told: dict[int, str] = {}
        self._lost: set[int] = set()
        self._outcomes: dict[tuple[str, str, int], set[str]] = {}
        self._seen: dict[tuple[str, str, int], bytes] = {}
        self._canonical: dict[bytes, bytes] = {}

    def made(self, page: str) -> int:
        number = len(self._made) + 1
        self._made[number] = page
        return number

    def crashed(self, page: str) -> None:
        self._lost.update(push for push, by in self._made.items() if by == page and push not in self.told)

    def committed(self) -> None:
        """Keep what the server answered, whatever becomes of its database."""
        for key, answer in self._world.stored.pushes.items():
            if self._seen.get(key) is not answer:
                self._seen[key] = answer
                outcome = msgspec.json.decode(answer)["result"]["outcome"]
                self._outcomes.setdefault(key, set()).add(outcome)

    def answered(self, page: str, push: int, outcome: str) -> None:
        self._world.counts[f"outcome {outcome}"] += 1
        if push in self.told:
            self._world.wrong(f"{page} tells of edit {push} a second time: {outcome}")
        self.told[push] = outcome
        known = self._outcomes_of(push)
        is_refused_here = outcome == "reject" and not known
        if not is_refused_here and (outcome == "reject") not in {each == "reject" for each in known}:
            self._world.wrong(f"{page} tells its person that edit {push} is a {outcome}; the server said {known} (PU8)")

    def _outcomes_of(self, push: int) -> set[str]:
        keys = [key for key, carried in self.carries.items() if carried == push]
        return {outcome for key in keys for outcome in self._outcomes.get(key, ())}

    def canonical(self, document: bytes) -> bytes:
        """5.0 is 5: JavaScript has one kind of number."""
        if document not in self._canonical:
            self._canonical[document] = _encode(_plain(msgspec.json.decode(document)))
        return self._canonical[document]

    # The end

    def check(self, pages: Iterator[Page]) -> None:
        times: dict[int, list[int]] = {}
        for encoded in self._world.stored.log:
            transaction = msgspec.json.decode(encoded, type=protocol.Transaction)
            by = transaction.by
            push = self.carries.get((by.user_id, by.client_id or "", by.client_seq or 0))
            if push is not None:
                times.setdefault(push, []).append(transaction.seq)
        for push, seqs in times.items():
            if len(seqs) > 1:
                self._world.wrong(f"edit {push} of {self._made[push]} was applied at {seqs} (PU2)")
        head = self.canonical(self._world.documents[self._world.stored.epoch][-1])
        for page in pages:
            if not page.is_out:
                self._check_page(page, head)

    def _check_page(self, page: Page, head: bytes) -> None:
        views = page.views()
        if not drawn(views.view) == drawn(views.laid) == head:
            self._world.wrong(f"{page.name} shows\n    {views.view}\n  works out\n    {views.laid}\n  of\n    {head!r}")
        for push in (push for push, by in self._made.items() if by == page.name):
            if push in self.saved and push not in self.told and not self._outcomes_of(push):
                self._world.wrong(f"edit {push} of {page.name} was on its disk, and never reached a server")
            was_pushed = push in self.carries.values()
            if was_pushed and push not in self._lost and push not in self.told:
                self._world.wrong(f"edit {push} of {page.name} was pushed, and its person never hears of it again")


def drawn(document: dict[str, Any]) -> bytes:
    """A client's document as canonical JSON."""
    workflow = document["workflow"]
    whole = (document["nodes"], document["edges"], workflow.get("name"), workflow.get("viewport"))
    return _encode(_plain(whole))


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _graph_of(document: dict[str, Any]) -> Graph:
    graph = Graph()
    kinds: tuple[tuple[Any, list[Record]], ...] = (("node", document["nodes"]), ("edge", document["edges"]))
    for kind, records in kinds:
        for place, record in enumerate(records):
            graph.put(kind, record, float(place))
    graph.settle()
    return graph
