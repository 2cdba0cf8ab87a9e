"""An undo that says what it undoes leaves alone what others have written since."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from canvas.errors import Forbidden
from canvas.graph import Graph
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.pointers import Refused
from canvas.protocol import Author, Transaction
from canvas.push import Batch, Ledger, Past, Push
from canvas.room import Room
from canvas.undo import own_part
from tests.canvas.drawing import edge, node, nodes

ADA, BOB = Author("ada", "user", "tab", 1), Author("bob", "user", "tab", 1)
ADAS_OTHER_TAB = Author("ada", "user", "other", 1)
AT = datetime(2026, 1, 2, tzinfo=UTC)


class Story:
    """A room in which everybody's pushes are committed one by one."""

    def __init__(self, *records: Op) -> None:
        self.room = Room("wf", "epoch", 0, Graph())
        self.log: list[Transaction] = []
        self.does(ADA, *records)

    def does(self, author: Author, *ops: Op, undo_of: int | None = None) -> Batch:
        rest = Author(author.user_id, "rest", author.client_id)  # without a number: the ledger has no say here
        batch = self.room.prepare([Push(rest, list(ops), b"", undo_of=undo_of)], Ledger({}, {}), Past({}, self.log), AT)
        self.room.committed(batch)
        self.log.extend(batch.transactions)
        return batch

    def data(self, id_: str) -> object:
        return self.room.graph.nodes[id_].record["data"]


def test_a_register_that_somebody_else_wrote_since_is_left_alone() -> None:
    """UN1"""
    story = Story(*nodes(node("a", data={"prompt": "", "seed": 1})))
    story.does(ADA, Update("node", "a", {"/data/prompt": "fox", "/data/seed": 2}))
    story.does(BOB, Update("node", "a", {"/data/prompt": "owl"}))

    undone = story.does(ADA, Update("node", "a", {"/data/prompt": "", "/data/seed": 1}), undo_of=2)

    assert story.data("a") == {"prompt": "owl", "seed": 1}
    (_, result) = undone.decisions[0]
    assert (result.outcome, result.ops) == ("rebase", [Update("node", "a", {"/data/seed": 1})])
    assert undone.transactions[0].undo_of == 2


def test_what_the_author_itself_wrote_since_is_taken_back() -> None:
    """UN1: another tab of one's own is somebody else, too"""
    story = Story(*nodes(node("a", data={"prompt": "", "seed": 1})))
    story.does(ADA, Update("node", "a", {"/data/prompt": "f", "/data/seed": 2}))
    story.does(ADA, Update("node", "a", {"/data/prompt": "fo"}))
    story.does(ADAS_OTHER_TAB, Update("node", "a", {"/data/seed": 3}))

    undone = story.does(ADA, Update("node", "a", {"/data/prompt": "", "/data/seed": 1}), undo_of=2)

    assert story.data("a") == {"prompt": "", "seed": 3}
    assert undone.decisions[0][1].outcome == "rebase"


def test_an_undo_that_meets_nobody_is_committed_as_it_came() -> None:
    """UN1"""
    story = Story(*nodes(node("a", data={"prompt": ""}), node("b")))
    story.does(ADA, Update("node", "a", {"/data/prompt": "fox"}))
    story.does(BOB, Update("node", "b", {"/data/prompt": "owl"}), Remove("node", ("c",)))

    undone = story.does(ADA, Update("node", "a", {"/data/prompt": ""}), undo_of=2)

    assert undone.decisions[0][1].outcome == "commit"


def test_nothing_is_left_to_undo() -> None:
    """UN1, PU6"""
    story = Story(*nodes(node("a")))
    story.does(ADA, SetWorkflow({"/name": "Foxes"}))
    story.does(BOB, SetWorkflow({"/name": "Owls"}))

    undone = story.does(ADA, SetWorkflow({"/name": "Untitled"}), undo_of=2)

    assert (story.room.graph.name, undone.transactions) == ("Owls", [])
    assert undone.decisions[0][1].outcome == "commit"


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("/position", "/parentId"),
        ("/width", "/height"),
        ("/data/a/b", "/data/a"),
        ("/data/a", "/data/a/b"),
        ("/data", "/data/x"),
        ("/style", "/style"),
    ],
)
def test_registers_that_belong_together_are_left_together(mine: str, theirs: str) -> None:
    """UN1, OP4"""
    log = [Transaction(7, ADA, AT, []), Transaction(8, BOB, AT, [Update("node", "a", {theirs: None})])]
    undo: list[Op] = [Update("node", "a", {mine: {"x": 1, "y": 2}, "/hidden": True}, ("/label",))]

    assert own_part(undo, 7, ADA, log, Graph()) == [Update("node", "a", {"/hidden": True}, ("/label",))]


def test_neighbours_are_no_registers_of_one_another() -> None:
    """UN1"""
    theirs: list[Op] = [
        Update("node", "a", {"/data/ab": 1}),
        Update("node", "b", {"/data/a": 1}),
        Update("edge", "a", {"/data/a": 1}),
    ]
    undo: list[Op] = [Update("node", "a", {"/data/a": 0})]

    assert own_part(undo, 7, ADA, [Transaction(7, ADA, AT, []), Transaction(8, BOB, AT, theirs)], Graph()) == undo


def test_a_group_in_which_others_have_put_something_stays() -> None:
    """UN1: to take it back would take theirs along"""
    story = Story(*nodes(node("outer"), node("inner", parentId="outer"), node("mine", parentId="outer"), node("else")))
    story.does(BOB, *nodes(node("theirs", parentId="inner")))

    story.does(ADA, Remove("node", ("outer", "inner", "mine", "else")), undo_of=1)

    assert [record["id"] for record in story.room.graph.nodes_in_order()] == ["outer", "inner", "theirs"]


def test_what_others_took_out_again_holds_nothing() -> None:
    """UN1"""
    story = Story(*nodes(node("group"), node("a"), node("b")))
    story.does(BOB, Update("node", "a", {"/parentId": "group"}))
    story.does(BOB, Update("node", "a", {}, ("/parentId",)))

    story.does(ADA, Remove("node", ("group",)), undo_of=1)

    assert [record["id"] for record in story.room.graph.nodes_in_order()] == ["a", "b"]


def test_edges_and_additions_are_undone_whatever_others_did() -> None:
    """UN1"""
    undo: list[Op] = [Remove("edge", ("e",)), Add("edge", edge("f", "a", "b"))]
    log = [Transaction(7, ADA, AT, []), Transaction(8, BOB, AT, [Update("edge", "e", {"/label": "x"})])]

    assert own_part(undo, 7, ADA, log, Graph()) == undo


def test_only_ones_own_work_that_is_still_in_the_log_can_be_undone() -> None:
    """UN2"""
    log = [Transaction(7, BOB, AT, []), Transaction(8, ADA, AT, [])]

    with pytest.raises(Forbidden):
        own_part([], 7, ADA, log, Graph())
    for seq in (6, 9):
        with pytest.raises(Refused, match="not in the log"):
            own_part([], seq, ADA, log, Graph())


def test_what_others_push_in_the_same_commit_counts() -> None:
    """UN1"""
    story = Story(*nodes(node("a", data={"prompt": ""})))
    story.does(ADA, Update("node", "a", {"/data/prompt": "fox"}))
    bobs = Push(Author("bob", "rest"), [Update("node", "a", {"/data/prompt": "owl"})], b"")
    adas = Push(Author("ada", "rest", "tab"), [Update("node", "a", {"/data/prompt": ""})], b"", undo_of=2)

    story.room.committed(story.room.prepare([bobs, adas], Ledger({}, {}), Past({}, story.log), AT))

    assert story.data("a") == {"prompt": "owl"}
