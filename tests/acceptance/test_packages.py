"""`@easel/client` and `@easel/react` for somebody who has nothing else of Easel: docs/react-flow.md come true."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance import packages
from tests.acceptance.conftest import ADMIN_TOKEN, RunningEasel, open_page
from tests.acceptance.packages import ROOT, WEB, manifest, run
from tests.acceptance.test_first_light import create, image_node

EXAMPLE = WEB / "examples" / "minimal"
MAX_CLIENT_BYTES = 15_000
"""Minified and compressed: what it adds to a page."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, copied out and with the packages installed."""
    project = tmp_path_factory.mktemp("project") / "minimal"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("node_modules", "dist"))
    packages.install(project, packages.pack())
    return project


def test_packages_say_what_they_are_and_hold_what_they_say(project: Path) -> None:
    version = manifest(WEB)["version"]
    assert f'\nversion = "{version}"\n' in (ROOT / "pyproject.toml").read_text()
    for name in packages.NAMES:
        folder = project / "node_modules" / "@easel" / name
        package = manifest(folder)
        assert (package["name"], package["version"]) == (f"@easel/{name}", version)
        assert (package["type"], package["sideEffects"]) == ("module", False)
        for file in package["exports"]["."].values():
            assert (folder / file).is_file(), file
        declared = {*package.get("dependencies", {}), *package.get("peerDependencies", {})}
        imported = re.findall(
            r'^(?:import|export) .*from "([^"]+)"', (folder / "dist" / "index.js").read_text(), re.MULTILINE
        )
        assert {re.match(r"(@[^/]+/)?[^/]+", each)[0] for each in imported} == declared  # type: ignore[index]
        assert not re.search(r'from "\.\.', "".join(each.read_text() for each in (folder / "dist").glob("*.d.ts")))


def test_client_is_small(project: Path) -> None:
    bundled = run(
        str(WEB / "node_modules/.bin/esbuild"),
        "--bundle",
        "--minify",
        "--format=esm",
        "node_modules/@easel/client/dist/index.js",
        cwd=project,
    )
    size = len(gzip.compress(bundled.encode(), 9))

    print(f"@easel/client: {size} bytes gzip")
    assert size <= MAX_CLIENT_BYTES


def test_types_hold_for_the_strictest_of_readers(project: Path) -> None:
    (project / "types.ts").write_text(
        """import { createHttp, Room, type RoomState } from "@easel/client";
import { useEasel } from "@easel/react";
import type { Node } from "@xyflow/react";

type Prompt = Node<{ prompt: string }, "prompt">;
export const room: RoomState = new Room({ url: "ws://127.0.0.1/ws/workflows/wf" }).getState();
export const name: Promise<string> = createHttp().me().then((me) => me.name);
type Mine = ReturnType<typeof useEasel<Prompt>>;
export const prompts = (easel: Mine): string[] => easel.nodes.map(({ data }) => data.prompt);
// @ts-expect-error: there is no such key
export const wrong = room.nothing;
"""
    )
    for types in ("react", "react-dom"):
        shutil.copytree(
            WEB / "node_modules/@types" / types, project / "node_modules/@types" / types, dirs_exist_ok=True
        )
    shutil.copytree(WEB / "node_modules/csstype", project / "node_modules/csstype", dirs_exist_ok=True)
    tsc = str(WEB / "node_modules/.bin/tsc")
    run(
        tsc,
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--types",
        "react",
        "--module",
        "nodenext",
        "types.ts",
        cwd=project,
    )


def test_what_the_documentation_shows_is_the_example() -> None:
    text = (ROOT / "docs" / "react-flow.md").read_text()
    shown = re.findall(r"\*\*`([^`]+)`\*\*:?\n\n```\w+\n(.*?)```", text, re.DOTALL)
    assert {name for name, _ in shown} >= {
        "src/easel.js",
        "src/App.jsx",
        "src/Cursors.jsx",
        "src/ImageNode.jsx",
        "server.js",
    }
    for name, code in shown:
        assert code == (EXAMPLE / name).read_text(), name
    [difference] = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    app = iter((EXAMPLE / "src/App.jsx").read_text().splitlines())
    added = [line[1:] for line in difference.splitlines() if line.startswith("+")]
    assert all(line in app for line in added), "each line that the quick-start gets is in the example, in this order"
    assert len(added) <= 10


# In a browser


@pytest.fixture(scope="module")
def app(easel: RunningEasel, project: Path) -> Iterator[str]:
    """The example's page and its backend, on an origin of their own."""
    run("npm", "run", "--silent", "build", cwd=project, VITE_EASEL_URL=easel.url)
    server = packages.start(
        "node", "server.js", cwd=project, EASEL_URL=easel.url, EASEL_TOKEN=ADMIN_TOKEN, PORT=str(easel.app_port)
    )
    assert server.stdout is not None
    assert server.stdout.readline().strip() == easel.app_origin
    yield easel.app_origin
    server.terminate()
    server.wait(10)
    server.stdout.close()


def place_of(page: Page) -> str:
    return str(page.locator('.react-flow__node[data-id="one"]').evaluate("node => node.style.transform"))


@pytest.mark.browser
@pytest.mark.soak
def test_two_pages_of_another_origin_share_a_canvas(
    easel: RunningEasel, browser: Browser, complaints: list[str], app: str, tmp_path: Path
) -> None:
    nodes = [
        {"id": "one", "position": {"x": 0, "y": 0}, "data": {"label": "One"}},
        image_node("fox") | {"position": {"x": 300, "y": 0}},
    ]
    with easel.client() as client:
        workflow = create(client, name="Elsewhere", nodes=nodes, edges=[])
    ada, grace = (open_page(browser, complaints, f"{app}/?canvas={workflow['id']}") for _ in range(2))
    for page in (ada, grace):
        expect(page.get_by_text("One", exact=True)).to_be_visible()

    before = place_of(grace)
    box = ada.get_by_text("One", exact=True).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    ada.mouse.move(x, y)
    ada.mouse.down()
    ada.mouse.move(x + 40, y + 120, steps=8)
    expect(grace.get_by_text("➤ Ada")).to_be_visible()
    grace.wait_for_function("before => document.querySelector('[data-id=one]').style.transform !== before", arg=before)
    ada.mouse.up()
    grace.wait_for_function(
        "there => document.querySelector('[data-id=one]').style.transform === there", arg=place_of(ada)
    )

    grace.get_by_label("Prompt").fill("a fox in the snow")
    grace.get_by_label("Prompt").press("Enter")
    picture = ada.get_by_role("img", name="a fox in the snow")
    expect(picture).to_be_visible(timeout=30_000)
    ada.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
    ada.screenshot(path=tmp_path / "elsewhere.png")
    ada.context.close()
    grace.context.close()
