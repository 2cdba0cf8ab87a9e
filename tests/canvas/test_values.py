from __future__ import annotations

from typing import Any

import pytest

from canvas.errors import Invalid
from canvas.ops import Add, Change, Update
from canvas.values import check_json
from tests.canvas.drawing import drawn, edge, node

PICTURE = "data:image/png;base64," + "A" * 100


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [1e300, -0.0, 2**53 - 1, -(2**53) + 1, "", "\U0001f98a", None, True, nested(64)])
def test_what_json_and_javascript_hold_is_taken(value: Any) -> None:
    """OP11, LM1"""
    check_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53), {"__proto__": 1}, nested(65)])
def test_what_would_not_come_back_the_same_is_refused(value: Any) -> None:
    """OP11, LM1"""
    for hidden in (value, [value], {"p": value}):
        with pytest.raises(Invalid) as caught:
            check_json(hidden)
        assert caught.value.code == "VALIDATION_FAILED"


@pytest.mark.parametrize(("text", "code"), [("a\0b", "NUL_CHARACTER"), (PICTURE, "BASE64_REFUSED")])
def test_a_nul_and_a_picture_are_refused_wherever_they_hide(text: str, code: str) -> None:
    """OP11"""
    for op in (
        Add("node", node("b", data={"p": [text]})),
        Add("node", node("b", data={text: 1})),
        Add("node", node(text)),
        Add("node", node("b", className=text)),
        Add("edge", edge("e", "a", "a", label=text)),
        Update("node", "a", {"/data/p": {"q": text}}),
        Update("node", "a", {"/data/" + text.replace("/", "~1"): 1}),
    ):
        with pytest.raises(Invalid) as caught:
            Change(drawn(node("a")), 2, {}).apply(op)
        assert caught.value.code == code


def test_a_short_data_url_is_no_picture() -> None:
    """OP11"""
    check_json("data:image/gif;base64," + "A" * 99)


def test_nesting_counts_from_the_record() -> None:
    """LM1: a path and a record have the same limit"""
    Change(drawn(node("a")), 2, {}).apply(Update("node", "a", {"/data/p": nested(62)}))
    with pytest.raises(Invalid, match="64 deep"):
        Change(drawn(node("a")), 2, {}).apply(Update("node", "a", {"/data/p": nested(63)}))
    Change(drawn(node("a")), 2, {}).apply(Add("node", node("b", data={"p": nested(62)})))
    with pytest.raises(Invalid, match="64 deep"):
        Change(drawn(node("a")), 2, {}).apply(Add("node", node("b", data={"p": nested(63)})))
