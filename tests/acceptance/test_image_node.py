"""What an image node lets one choose, and what one can do with what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page, saved
from tests.acceptance.test_first_light import create, image_node

pytestmark = pytest.mark.browser


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(client, name="One of several", nodes=[image_node()], edges=[])


@pytest.fixture
def page(easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any]) -> Page:
    page = open_page(browser, complaints, easel.run("login-link"))
    page.goto(f"{easel.url}/w/{workflow['id']}")
    expect(page.get_by_test_id("image-node")).to_be_visible()
    return page


def data_of(easel: RunningEasel, workflow: dict[str, Any]) -> dict[str, Any]:
    with easel.client() as client:
        data: dict[str, Any] = client.get(f"/api/workflows/{workflow['id']}").json()["nodes"][0]["data"]
    return data


def test_a_node_offers_what_its_model_has_and_shows_every_picture_of_its_run(
    page: Page, easel: RunningEasel, workflow: dict[str, Any]
) -> None:
    """JB22, PG30"""
    node = page.get_by_test_id("image-node")
    model = node.get_by_role("combobox", name="Model")
    expect(model.locator("option:checked")).to_have_text("Studio 1, built in")
    node.get_by_role("button", name="Settings").click()
    expect(node.get_by_text("Quality")).to_have_count(0)  # the built-in model has one only
    node.get_by_role("combobox", name="Size").select_option("512x512")
    node.get_by_role("textbox", name="Seed").fill("41")
    pictures = node.get_by_role("slider", name="Pictures")
    pictures.focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(pictures).to_have_value("4")  # not more than it makes in one run

    node.get_by_test_id("generate").click()

    expect(node.get_by_test_id("strip").get_by_role("button")).to_have_count(4, timeout=30_000)
    results = data_of(easel, workflow)["results"]
    assert [result["seed"] for result in results] == [41, 42, 43, 44]
    assert len({result["imageUrl"] for result in results}) == 4


def test_pictures_are_compared_and_the_seed_of_one_is_taken_by_keyboard(
    page: Page, easel: RunningEasel, workflow: dict[str, Any]
) -> None:
    """PG31"""
    node = page.get_by_test_id("image-node")
    node.get_by_role("button", name="Settings").click()
    node.get_by_role("combobox", name="Size").select_option("512x512")
    node.get_by_role("slider", name="Pictures").press("ArrowRight")
    node.get_by_test_id("generate").click()
    node.get_by_role("button", name="Open picture 2 of 2").click(timeout=30_000)
    first, second = data_of(easel, workflow)["results"]

    large = page.get_by_test_id("lightbox")
    expect(large.get_by_role("img")).to_have_attribute("src", second["imageUrl"])
    expect(large.get_by_role("link", name="Download")).to_have_attribute("href", second["imageUrl"])
    page.keyboard.press("z")
    width = large.get_by_role("img").evaluate(
        "async (img) => { await img.decode(); return [img.width, img.naturalWidth] }"
    )
    assert width == [512, 512]
    page.keyboard.press("c")
    expect(large.get_by_role("img")).to_have_count(2)
    expect(large.get_by_role("img").last).to_have_attribute("src", first["imageUrl"])
    page.keyboard.press("c")
    page.keyboard.press("ArrowLeft")
    expect(large.get_by_role("img")).to_have_attribute("src", first["imageUrl"])
    large.get_by_role("button", name=f"Use seed {first['seed']}").press("Enter")

    expect(large).to_have_count(0)
    expect(node.get_by_role("textbox", name="Seed")).to_have_value(str(first["seed"]))


def test_a_price_is_on_the_button_and_settings_of_another_model_refuse_nothing(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG30. Here no provider has a key, so the list of them is the one of somebody who has one."""
    data = {"prompt": "a fox", "provider": "shop", "model": "wide", "n": 3, "quality": "fine", "size": "512x512"}
    with easel.client() as client:
        made = create(client, name="Prices", nodes=[image_node() | {"data": data}], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    has = {"sizes": [], "aspectRatios": ["1:1", "16:9"], "qualities": ["usual", "fine"], "minSidePx": 64}
    has |= {"maxSidePx": 2048, "maxImages": 4, "seed": False, "negativePrompt": True, "previousImage": False}
    shop = {"id": "shop", "name": "Shop", "configured": True}
    models = [{"id": "wide", "label": "Wide", "price": 0.04, "capabilities": has}]
    page.route("**/api/providers", lambda route: route.fulfill(json=[{**shop, "models": models}]))
    asked: list[Any] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.post_data_json)
        route.abort()

    page.goto(f"{easel.url}/w/{made['id']}")
    node = page.get_by_test_id("image-node")
    expect(node.get_by_test_id("generate")).to_have_text("Generateabout $0.12")
    node.get_by_role("combobox", name="Shape").select_option("16:9")
    expect(node.get_by_role("combobox", name="Size")).to_have_count(0)
    node.get_by_role("textbox", name="Without").fill("text")
    node.get_by_role("textbox", name="Without").press("Enter")
    page.route("**/api/runs", refuse)
    node.get_by_test_id("generate").click()

    expect(node.get_by_role("alert")).to_contain_text("Easel cannot be reached")
    spec = {"basePrompt": "a fox", "aspectRatio": "16:9", "quality": "fine", "negativePrompt": "text", "n": 3}
    assert [(body["provider"], body["model"], body["promptSpec"]) for body in asked] == [("shop", "wide", spec)]
    complaints[:] = [said for said in complaints if "net::ERR_FAILED" not in said]


def test_what_made_a_picture_is_taken_back_into_its_node_or_a_new_one_where_other_words_are_wired(
    page: Page, easel: RunningEasel, workflow: dict[str, Any]
) -> None:
    """PG37, JB22"""
    node, large = page.get_by_test_id("image-node").first, page.get_by_test_id("lightbox")
    node.get_by_role("button", name="Settings").click()
    node.get_by_role("combobox", name="Size").select_option("512x512")
    node.get_by_test_id("generate").click()
    expect(node.get_by_test_id("picture")).to_be_visible(timeout=30_000)
    seed = data_of(easel, workflow)["results"][0]["seed"]
    node.get_by_test_id("picture").click()
    expect(large.get_by_role("button", name="prompt")).to_have_count(0)  # the node has it
    page.keyboard.press("Escape")
    node.get_by_test_id("prompt").fill("an owl")
    node.get_by_role("combobox", name="Size").select_option("1024x1024")

    node.get_by_test_id("picture").click()
    expect(large.get_by_text("a fox", exact=True)).to_be_visible()
    large.get_by_role("button", name="Use this prompt").press("Enter")

    expect(node.get_by_test_id("prompt")).to_have_value("a fox")
    expect(node.get_by_role("combobox", name="Size")).to_have_value("512x512")
    expect(node.get_by_role("textbox", name="Seed")).to_have_value(str(seed))
    page.get_by_role("button", name="Undo").last.click()
    expect(node.get_by_test_id("prompt")).to_have_value("an owl")
    expect(node.get_by_role("combobox", name="Size")).to_have_value("1024x1024")
    expect(node.get_by_role("textbox", name="Seed")).to_have_value("")

    with easel.client() as client:
        base = f"/api/workflows/{workflow['id']}"
        words = {"id": "words", "type": "prompt", "position": {"x": -400, "y": 0}, "data": {"prompt": "in chalk"}}
        client.post(f"{base}/nodes", json=words).raise_for_status()
        client.post(f"{base}/edges", json={"id": "e", "source": "words", "target": "fox"}).raise_for_status()
        expect(node.get_by_text("With in chalk")).to_be_visible()
        node.get_by_test_id("picture").click()
        large.get_by_role("button", name="New node with this prompt").press("Enter")

        expect(page.get_by_test_id("image-node")).to_have_count(2)
        saved(page)
        nodes = client.get(base).json()["nodes"]
    assert {one["id"]: one["data"]["prompt"] for one in nodes[:2]} == {"fox": "an owl", "words": "in chalk"}
    made = {"prompt": "a fox", "provider": "local", "model": "studio-1", "size": "512x512", "seed": seed}
    assert nodes[2]["data"] == made


def test_a_picture_is_made_again_but_for_what_is_said_and_differences_add_up(
    page: Page, easel: RunningEasel, workflow: dict[str, Any]
) -> None:
    """PG39"""
    node = page.get_by_test_id("image-node")
    expect(node.get_by_role("textbox", name="What should be different?")).to_have_count(0)  # there is nothing yet
    node.get_by_role("button", name="Settings").click()
    node.get_by_role("combobox", name="Size").select_option("512x512")
    node.get_by_test_id("generate").click()
    field = node.get_by_role("textbox", name="What should be different?")
    expect(field).to_be_visible(timeout=30_000)
    seed = data_of(easel, workflow)["results"][0]["seed"]
    again = node.get_by_role("button", name="Make it again")
    expect(again).to_be_disabled()

    field.fill("in the snow")
    field.press("Enter")
    expect(field).to_have_count(0)
    expect(field).to_have_value("", timeout=30_000)
    field.fill("at night")
    again.click()
    expect(field).to_have_count(0)
    expect(field).to_have_value("", timeout=30_000)

    data = data_of(easel, workflow)
    assert (data["prompt"], data["madeWith"]["prompt"]) == ("a fox", "a fox, in the snow, at night")
    assert data["results"][0]["seed"] == seed
    node.get_by_test_id("picture").click()
    page.get_by_role("button", name="Use this prompt").press("Enter")
    expect(node.get_by_test_id("prompt")).to_have_value("a fox, in the snow, at night")


def test_a_model_that_takes_pictures_starts_from_the_one_that_should_be_different(
    easel: RunningEasel, browser: Browser, complaints: list[str]
) -> None:
    """PG39"""
    data = {"prompt": "a fox", "provider": "shop", "model": "wide", "imageUrl": "/objects/display/none.webp"}
    with easel.client() as client:
        made = create(client, name="From a picture", nodes=[image_node() | {"data": data}], edges=[])
    page = open_page(browser, complaints, easel.run("login-link"))
    has = {"sizes": [], "aspectRatios": [], "qualities": [], "minSidePx": 64, "maxSidePx": 2048, "maxImages": 1}
    has |= {"seed": False, "negativePrompt": False, "previousImage": True}
    models = [{"id": "wide", "label": "Wide", "price": 0.04, "capabilities": has}]
    shop = {"id": "shop", "name": "Shop", "configured": True, "models": models}
    page.route("**/api/providers", lambda route: route.fulfill(json=[shop]))
    page.route("**/objects/display/none.webp", lambda route: route.fulfill(body=b"", content_type="image/webp"))
    asked: list[Any] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.post_data_json)
        route.abort()

    page.route("**/api/runs", refuse)
    page.goto(f"{easel.url}/w/{made['id']}")
    field = page.get_by_role("textbox", name="What should be different?")
    expect(field).to_have_attribute("title", "The next one starts from this picture, and what you write here.")
    field.fill("bluer")
    field.press("Enter")

    expect(page.get_by_test_id("image-node").get_by_role("alert")).to_contain_text("Easel cannot be reached")
    expect(field).to_have_value("bluer")
    spec = {"basePrompt": "a fox, bluer", "size": "1024x1024", "previousImage": data["imageUrl"]}
    assert [body["promptSpec"] for body in asked] == [spec]
    complaints[:] = [said for said in complaints if "net::ERR_FAILED" not in said]
