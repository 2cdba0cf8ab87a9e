"""Puts the built page into a wheel. An editable installation serves it from web/dist."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelPage(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        page = Path(self.root) / "web" / "dist"
        if not (page / "index.html").is_file():
            raise FileNotFoundError("The page has not been built: run `make wheel`, which does, or `make web` first.")
        build_data["force_include"][str(page)] = "app/page"
