"""Sharing a canvas in real browsers: links and invitations given, guests who come, edit, are named, and are put out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create, image_node
from tests.acceptance.test_gallery import in_database

pytestmark = pytest.mark.browser


@pytest.fixture
def workflow(easel: RunningEasel) -> dict[str, Any]:
    with easel.client() as client:
        return create(client, name="Harbour at dawn", nodes=[image_node()], edges=[])


def owner_at(easel: RunningEasel, browser: Browser, complaints: list[str], workflow_id: str, **options: Any) -> Page:
    may_copy = ["clipboard-read", "clipboard-write"]
    owner = open_page(browser, complaints, easel.run("login-link"), permissions=may_copy, **options)
    owner.goto(f"{easel.url}/w/{workflow_id}")
    expect(owner.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    owner.get_by_test_id("share").click()
    expect(owner.get_by_test_id("share-dialog")).to_be_visible()
    return owner


def make_link(owner: Page, grant: str) -> str:
    dialog = owner.get_by_test_id("share-dialog")
    links = dialog.get_by_test_id("share-link")
    count = links.count()
    dialog.get_by_label("What the link gives").select_option(label=grant)
    dialog.get_by_role("button", name="Create link").click()
    expect(links).to_have_count(count + 1)
    return links.first.get_by_label("Share link", exact=True).input_value()


def test_viewer_comes_through_a_link_and_is_put_out_when_it_is_revoked(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    """PG11"""
    owner = owner_at(easel, browser, complaints, workflow["id"])
    dialog = owner.get_by_test_id("share-dialog")
    link = make_link(owner, "Can view")
    dialog.get_by_role("button", name="Copy share link").click()
    expect(owner.get_by_text("Link copied.")).to_be_visible()
    assert owner.evaluate("navigator.clipboard.readText()") == link

    guest = open_page(browser, complaints, link, color_scheme="dark")

    expect(guest).to_have_url(f"{easel.url}/w/{workflow['id']}")
    expect(guest.get_by_test_id("image-node")).to_be_visible()
    expect(guest.get_by_text("View only")).to_be_visible()
    for name in ("Generate", "Image", "Upload a picture (U)", "Undo"):
        expect(guest.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(dialog.get_by_test_id("member")).to_have_count(2)
    expect(dialog.get_by_text("here now")).to_be_visible()
    expect(dialog.get_by_text("1 came through it")).to_be_visible()
    guest.screenshot(path=tmp_path / "viewer-dark.png")
    owner.screenshot(path=tmp_path / "share-light.png")
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    dialog.get_by_role("button", name="Revoke it, put 1 out").click()

    expect(guest.get_by_role("heading", name="You no longer have access")).to_be_visible()
    expect(dialog.get_by_test_id("share-link")).to_have_count(0)
    expect(dialog.get_by_test_id("member")).to_have_count(1)
    guest.screenshot(path=tmp_path / "put-out-dark.png")
    guest.get_by_role("link", name="All canvases").click()
    expect(guest.get_by_text("Nothing is shared with you at the moment")).to_be_visible()
    expect(guest.get_by_test_id("new-workflow")).to_have_count(0)
    guest.screenshot(path=tmp_path / "guest-list-dark.png")
    guest.context.close()
    owner.context.close()


def test_editor_comes_through_a_link_says_who_they_are_edits_and_leaves(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    owner = owner_at(easel, browser, complaints, workflow["id"], color_scheme="dark")
    guest = open_page(browser, complaints, make_link(owner, "Can edit"))
    expect(guest.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    expect(guest.get_by_test_id("generate")).to_have_count(0)
    expect(guest.get_by_text("Edit only")).to_be_visible()
    guest.screenshot(path=tmp_path / "editor-light.png")

    guest.get_by_role("button", name="Say who you are").click()
    guest.get_by_label("Your name", exact=True).last.fill("Ida")
    guest.screenshot(path=tmp_path / "name-light.png")
    guest.get_by_role("button", name="Save").click()

    member = owner.get_by_test_id("member").filter(has_text="Ida")
    expect(member).to_contain_text("here now")
    expect(guest.get_by_role("button", name="Say who you are")).to_have_count(0)
    guest.get_by_test_id("prompt").fill("a harbour")
    guest.get_by_test_id("prompt").blur()
    expect(owner.get_by_test_id("prompt")).to_have_value("a harbour")
    owner.screenshot(path=tmp_path / "share-dark.png")

    member.get_by_label("What Ida may do").select_option(label="Can view")

    expect(guest.get_by_text("View only")).to_be_visible()
    guest.get_by_test_id("share").click()
    guest.screenshot(path=tmp_path / "people-light.png")
    guest.get_by_test_id("share-dialog").get_by_role("button", name="Leave").click()
    expect(guest.get_by_role("heading", name="Canvases")).to_be_visible()
    expect(guest.get_by_text("You have left “Harbour at dawn”.")).to_be_visible()
    expect(owner.get_by_test_id("member")).to_have_count(1)
    guest.context.close()
    owner.context.close()


def test_invited_person_has_an_account_is_removed_and_let_in_again(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    owner = owner_at(easel, browser, complaints, workflow["id"])
    dialog = owner.get_by_test_id("share-dialog")
    dialog.get_by_label("Name of the person").fill("Mara Lund")
    dialog.get_by_role("button", name="Invite").click()
    link = dialog.get_by_label("Login link for Mara Lund", exact=True).input_value()
    owner.screenshot(path=tmp_path / "invited-light.png")

    mara = open_page(browser, complaints, link)
    expect(mara.get_by_test_id("new-workflow")).to_be_visible()
    mara.get_by_role("link", name="Open Harbour at dawn").click()
    expect(mara.get_by_test_id("generate")).to_be_visible()
    dialog.get_by_role("button", name="Remove Mara Lund").click()

    expect(mara.get_by_role("heading", name="You no longer have access")).to_be_visible()
    owner.get_by_role("button", name="Undo", exact=True).last.click()
    expect(dialog.get_by_test_id("member")).to_have_count(2)
    mara.reload()
    expect(mara.get_by_test_id("generate")).to_be_visible()
    mara.context.close()
    owner.context.close()


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("kind", ["share", "login"])
def test_person_at_an_ended_link_reads_what_happened_and_keeps_no_secret(
    easel: RunningEasel,
    browser: Browser,
    complaints: list[str],
    workflow: dict[str, Any],
    tmp_path: Path,
    kind: str,
) -> None:
    if kind == "share":
        with easel.client() as client:
            shares = f"/api/workflows/{workflow['id']}/shares"
            made = client.post(shares, json={"role": "viewer"}).json()
            client.delete(f"{shares}/{made['id']}")
        link, status, code, title = made["url"], 404, "LINK_OVER", "This link has ended"
    else:
        link, status, code, title = easel.run("login-link"), 401, "LINK_USED", "This login link has been used"
        httpx.get(link)
    program, person = httpx.get(link), httpx.get(link, headers=BROWSER)
    assert (program.status_code, program.json()["code"]) == (status, code)
    assert (person.status_code, person.headers["cache-control"]) == (status, "no-store")
    secret = re.split(r"[/=]", link)[-1]
    assert secret not in person.text

    page = open_page(browser, complaints, link, color_scheme="dark" if kind == "login" else "light")

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.screenshot(path=tmp_path / f"ended-{kind}.png")
    assert page.url == f"{easel.url}/"
    page.get_by_role("link", name="Go to Easel").click()
    expect(page.get_by_role("heading", name="Open your login link")).to_be_visible()
    page.go_back()
    assert secret not in page.url
    assert all(str(status) in one or "401" in one for one in complaints), complaints
    complaints.clear()
    page.context.close()


def test_person_whose_session_ends_is_told_how_to_go_on(
    easel: RunningEasel, browser: Browser, complaints: list[str], workflow: dict[str, Any], tmp_path: Path
) -> None:
    with easel.client() as client:
        invitation = {"role": "editor", "name": "Nina"}
        invited = client.post(f"/api/workflows/{workflow['id']}/invites", json=invitation).json()
    page = open_page(browser, complaints, invited["url"])
    expect(page.get_by_test_id("workflow-item")).to_be_visible()
    in_database(easel, "UPDATE sessions SET expires_at = now() + '4s' WHERE account_id = $1", invited["accountId"])

    page.goto(f"{easel.url}/w/{workflow['id']}")

    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    expect(page.get_by_role("heading", name="You have been signed out")).to_be_visible(timeout=10_000)
    page.screenshot(path=tmp_path / "signed-out.png")
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("heading", name="Open your login link")).to_be_visible()
    assert all("401" in one for one in complaints), complaints
    complaints.clear()
    page.context.close()
