"""Alerts and dashboard ask for series that exist. Whether an alert fires, test_alerts.py asks a real Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.app.test_metrics import PROMISED

OPS = Path(__file__).parents[2] / "docs" / "ops"
_NAME = re.compile(r"\b(?:easel_[a-z0-9_]+|image_processing[a-z_]*|storage_size_bytes)\b")
_ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
SERIES = {name + ending for name, kind in PROMISED.items() for ending in _ENDINGS[kind]}


def expressions() -> list[str]:
    board: dict[str, Any] = json.loads((OPS / "dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = re.findall(r"expr: (?:>-\n)?((?:.|\n(?=          ))+)", (OPS / "alerts.yml").read_text())
    assert len(rules) == (OPS / "alerts.yml").read_text().count("- alert:")
    return [*queries, *rules]


def test_every_query_names_series_that_exist() -> None:
    for expression in expressions():
        named = set(_NAME.findall(re.sub(r'"[^"]*"', "", expression)))
        assert named or expression.startswith("up{"), expression
        assert named <= SERIES, expression


def test_every_series_is_told_of_and_shown() -> None:
    handbook = (OPS / "README.md").read_text()
    asked = {name for expression in expressions() for name in _NAME.findall(expression)}
    for name, kind in PROMISED.items():
        assert name + _ENDINGS[kind][0].replace("_bucket", "") in handbook, name
        assert {name + ending for ending in _ENDINGS[kind]} & asked, f"{name} is in no panel and no alert"
