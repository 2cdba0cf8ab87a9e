"""Pictures from a person's own disk: dropped, pasted, chosen on a node, and on the page of artworks."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create

pytestmark = pytest.mark.browser

GPS, ORIENTATION, TURNED = 0x8825, 0x0112, 6


def phone_photograph() -> bytes:
    """A sky over a meadow, upright 600x800, stored lying as a phone stores it: orientation 6, with where it was."""
    upright = Image.new("RGB", (600, 800), "#7db7e8")
    draw = ImageDraw.Draw(upright)
    draw.rectangle((0, 500, 600, 800), fill="#3c8d40")
    draw.ellipse((400, 60, 520, 180), fill="#ffd84a")
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    exif.get_ifd(GPS).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    stored = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stored, "JPEG", quality=92, exif=exif)
    return stored.getvalue()


PHOTOGRAPH = phone_photograph()


@pytest.fixture
def canvas(easel: RunningEasel, browser: Browser, complaints: list[str]) -> Iterator[Page]:
    with easel.client() as client:
        workflow_id = create(client, nodes=[], edges=[])["id"]
    page = open_page(browser, complaints, easel.run("login-link"))
    page.goto(f"{easel.url}/w/{workflow_id}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    yield page
    page.context.close()


def hand_over(
    page: Page, kind: str, target: str, *files: tuple[str, str, bytes], at: tuple[float, float] = (320, 300)
) -> None:
    """Drops or pastes files, as the browser tells the page of it."""
    given = [[name, type_, base64.b64encode(content).decode()] for name, type_, content in files]
    page.evaluate(_HAND_OVER, [kind, target, given, *at])


_HAND_OVER = """([kind, target, given, clientX, clientY]) => {
  const data = new DataTransfer();
  for (const [name, type, text] of given)
    data.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], name, { type }));
  const element = document.querySelector(target) ?? document.body;
  const at = { bubbles: true, cancelable: true, clientX, clientY };
  if (kind === 'paste') document.dispatchEvent(new ClipboardEvent('paste', { ...at, clipboardData: data }));
  else for (const step of ['dragenter', 'dragover', 'drop'])
    element.dispatchEvent(new DragEvent(step, { ...at, dataTransfer: data }));
}"""


def look_of(page: Page, easel: RunningEasel) -> dict[str, Any]:
    """What the first picture of the canvas shows: its size, the colours at the top and the bottom, and its EXIF."""
    picture = page.get_by_test_id("picture").first
    expect(picture).to_be_visible(timeout=20_000)
    with easel.client() as client:
        shown = Image.open(BytesIO(client.get(picture.get_attribute("src") or "").content))
    rgb = shown.convert("RGB")
    width, height = rgb.size
    top, bottom = rgb.getpixel((width // 4, height // 10)), rgb.getpixel((width // 4, height * 8 // 10))
    return {"is_upright": height > width, "top": top, "bottom": bottom, "exif": dict(shown.getexif().get_ifd(GPS))}


def assert_meadow(look: dict[str, Any]) -> None:
    assert look["is_upright"]
    assert look["top"][2] > look["top"][0] + 40, look  # sky
    assert look["bottom"][1] > look["bottom"][2] + 40, look  # grass
    assert look["exif"] == {}


def test_dropped_photograph_stands_upright_and_tells_nobody_where(
    canvas: Page, easel: RunningEasel, tmp_path: Path
) -> None:
    """PG24"""
    hand_over(canvas, "drop", ".react-flow__pane", ("IMG 1.jpg", "image/jpeg", PHOTOGRAPH))

    node = canvas.get_by_test_id("upload-node")
    expect(node).to_contain_text("IMG 1")
    assert_meadow(look_of(canvas, easel))
    canvas.screenshot(path=tmp_path / "dropped.png")
    source = canvas.get_by_test_id("picture").get_attribute("src") or ""
    assert source.startswith("/objects/")
    canvas.reload()
    expect(canvas.get_by_test_id("picture")).to_be_visible()


def test_pasted_picture_lands_on_a_node(canvas: Page, easel: RunningEasel) -> None:
    """PG24"""
    hand_over(canvas, "paste", "body", ("image.png", "image/jpeg", PHOTOGRAPH))

    assert_meadow(look_of(canvas, easel))


def test_picture_is_chosen_on_an_upload_node(canvas: Page, easel: RunningEasel) -> None:
    canvas.keyboard.press("u")
    node = canvas.get_by_test_id("upload-node")

    node.locator("input[type=file]").set_input_files(
        {"name": "meadow.jpg", "mimeType": "image/jpeg", "buffer": PHOTOGRAPH}
    )

    assert_meadow(look_of(canvas, easel))
    expect(node).to_contain_text("meadow")


def test_several_at_once_and_what_is_no_picture_says_so(canvas: Page) -> None:
    files = [(f"{number}.jpg", "image/jpeg", PHOTOGRAPH) for number in range(4)]
    hand_over(canvas, "drop", ".react-flow__pane", *files, ("notes.txt", "text/plain", b"hello"))

    expect(canvas.get_by_text("What is no picture was left out.")).to_be_visible()
    expect(canvas.get_by_test_id("upload-node")).to_have_count(4)
    expect(canvas.get_by_test_id("picture")).to_have_count(4, timeout=30_000)


def test_bytes_that_are_no_picture_are_refused_on_the_node(canvas: Page, complaints: list[str]) -> None:
    hand_over(canvas, "drop", ".react-flow__pane", ("fake.png", "image/png", b"this is no picture" * 100))

    node = canvas.get_by_test_id("upload-node")
    expect(node.get_by_role("alert")).to_be_visible(timeout=20_000)
    expect(node.get_by_role("button", name="Retry")).to_be_visible()
    assert all("422" in one for one in complaints), complaints
    complaints.clear()


def test_artwork_is_added_described_deleted_and_brought_back(
    easel: RunningEasel, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    page = open_page(browser, complaints, easel.run("login-link"), color_scheme="dark")
    page.get_by_role("link", name="Artworks").click()
    expect(page.get_by_role("heading", name="Artworks", exact=True)).to_be_visible()
    page.get_by_role("button", name="Upload").click(trial=True, timeout=5_000)  # nothing lies over it
    hand_over(page, "drop", ".pictures", ("An evening.jpg", "image/jpeg", PHOTOGRAPH))
    tile = page.get_by_role("option", name="An evening", exact=True)
    expect(tile).to_be_visible(timeout=20_000)
    tile.click()
    detail = page.get_by_test_id("detail")
    expect(detail.get_by_text("an-evening", exact=True)).to_be_visible()

    detail.get_by_label("Title").fill("Meadow at noon")
    detail.get_by_label("Tags").fill("summer, green")
    detail.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    page.screenshot(path=tmp_path / "artwork.png")
    detail.get_by_role("button", name="Delete").click()
    tile = page.get_by_role("option", name="Meadow at noon")
    expect(tile).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(tile).to_be_visible()
    page.get_by_role("searchbox").fill("summer")
    expect(tile).to_be_visible()
    page.context.close()
