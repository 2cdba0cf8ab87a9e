"""R2 for the page's own client: the same stories, with `web/src/client` in every tab, in Node."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.simulation import oracles, story
from tests.simulation.page import DRIVER, Node, Page, Pages, Records
from tests.simulation.story import Broken, simulate
from tests.simulation.tab import Tab
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
SEEDS = range(20)
SOAK = range(500)
HUNT = range(40)
"""In so many stories at most each planted bug has to be found."""
REPORTED = 5
SILENCE_S = 40.0  # after it a page has given up every socket that says nothing

HAPPENED = (
    *("edits", "transactions", "outcome commit", "outcome reject", "pages reloaded", "welcomes by resume"),
    *("welcomes by snapshot", "roles told", "backups restored", "killed at an await", "close 1006", "close 4503"),
)
BUGS = (
    "the server's rebase is not believed",
    "a push is applied by its answer and again by its echo",
    "what is pushed again gets a new number",
    "a copy is taken for one transaction newer than it is",
    "a gap in the order is passed over",
    "what was refused stays on screen",
    "a new client id forgets what was waiting",
    "what a closed tab left behind is not taken up",
)


class PageWorld(World):
    """A world in which everybody has the page open."""

    def __init__(self, seed: int, counts: Counter[str], node: Node) -> None:
        super().__init__(seed, counts)
        self.records = Records(self)
        self.pages = Pages(node, self)

    def open_tab(self, name: str, account_id: str, client_id: str) -> Tab:
        page = Page(name, account_id, self.seed, self, self.pages, self.records)
        self.tabs.append(page)
        page.open()
        return page

    def committed(self) -> None:
        self.records.committed()
        super().committed()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    esbuild = ROOT / "web" / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.fail("web/node_modules is missing: `make test` installs it, or `npm ci` in web/.", pytrace=False)
    built = tmp_path_factory.mktemp("typescript") / "driver.mjs"
    command = [str(esbuild), str(ROOT / DRIVER), "--bundle", "--platform=node", "--format=esm", f"--outfile={built}"]
    subprocess.run([*command, "--log-level=warning"], check=True, env={**os.environ, "PATH": _path()})
    return built


@pytest.fixture
def nodes(bundle: Path) -> Iterator[Callable[[], Node]]:
    """Starts one: each has a client of its own to spoil."""
    executable = shutil.which("node", path=_path())
    if executable is None:
        pytest.fail("There is no Node: `make test` installs one.", pytrace=False)
    started: list[Node] = []

    def start() -> Node:
        started.append(Node(executable, bundle))
        return started[-1]

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def node(nodes: Callable[[], Node]) -> Node:
    return nodes()


def _path() -> str:
    """With the Node that `make` installs where the machine has none."""
    return f"{ROOT / '.setup' / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"


def play(seed: int, node: Node, counts: Counter[str] | None = None) -> list[str]:
    """One story with pages. Raises Broken."""
    check_world = oracles.check_end

    async def check_end(world: World) -> None:
        assert isinstance(world, PageWorld)
        await asyncio.sleep(SILENCE_S)
        if not await world.until(world.is_at_rest, story.SETTLING_S):
            world.wrong(oracles.unrest(world))
        await asyncio.sleep(story.REST_S)
        await check_world(world)
        if not world.wrongs:
            world.records.check(iter(world.pages.by_name.values()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "World", lambda seed, counts: PageWorld(seed, counts, node))
        patch.setattr(oracles, "check_end", check_end)
        return simulate(seed, counts)


def play_all(seeds: Iterable[int], node: Node) -> Counter[str]:
    counts: Counter[str] = Counter()
    broken: list[str] = []
    for seed in seeds:
        try:
            play(seed, node, counts)
        except Broken as error:
            broken.append(str(error))
    if broken:
        others = "\n".join(one.splitlines()[0] for one in broken[1:REPORTED])
        pytest.fail(f"{len(broken)} stories broke a promise.\n{broken[0]}\n\nand {others}", pytrace=False)
    return counts


def test_every_story_with_pages_ends_well(node: Node) -> None:
    """OP2, PU2, PU8, RM1, RM2, RS1, RS2, RS3, RS5, PR1, PR4, CL1, CL5: a page is at every seq what the log says"""
    seed = os.environ.get("EASEL_SIM_SEED")
    if seed is not None:
        print("\n".join(play(int(seed), node)))
        return

    counts = play_all(SEEDS, node)

    assert {name for name in HAPPENED if not counts[name]} == set(), counts


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_hundred_stories_with_pages_end_well(node: Node) -> None:
    """OP2, PU2, PU8, RM1, RM2, RS1, RS2, RS3, RS5, PR1, PR4, CL1, CL5"""
    play_all(SOAK, node)


def test_a_seed_tells_the_same_story_again(node: Node) -> None:
    """Whatever the Node process has played before: a story that could not be told again would be of no use."""
    assert play(3, node) == play(3, node)


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_planted_in_the_client_is_found(bug: str, nodes: Callable[[], Node]) -> None:
    spoiled = nodes()
    spoiled.ask("plant", bug=bug)

    red = first_red(spoiled)

    assert red is not None, f"“{bug}” goes unnoticed in {len(HUNT)} stories"
    play(red, nodes())  # the same story with a sound client


def first_red(node: Node) -> int | None:
    for seed in HUNT:
        try:
            play(seed, node)
        except Broken as broken:
            print(str(broken).splitlines()[0][:200])
            return seed
    return None
