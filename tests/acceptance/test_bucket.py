"""Pictures of an Easel whose store is a bucket: the page sends them straight there, and its own policy lets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.acceptance.conftest import RunningEasel, open_page
from tests.acceptance.test_first_light import create
from tests.acceptance.test_uploads import PHOTOGRAPH, assert_meadow, hand_over, look_of
from tests.jobs.objects.stores import BUCKET, KEY, moto

pytestmark = pytest.mark.browser


@pytest.fixture
def bucket() -> Iterator[str]:
    """Its EASEL_STORAGE_URL."""
    with moto() as url:
        yield url


@pytest.fixture
def bucket_easel(bucket: str, tmp_path: Path) -> Iterator[RunningEasel]:
    running = RunningEasel(tmp_path / "data", EASEL_STORAGE_URL=bucket, **KEY)
    yield running
    running.stop()
    assert "Traceback" not in "".join(running.said)


def test_page_sends_a_picture_straight_to_the_bucket(
    bucket_easel: RunningEasel, bucket: str, browser: Browser, complaints: list[str]
) -> None:
    """OB3: and says nothing of a policy that was broken."""
    with bucket_easel.client() as client:
        workflow_id = create(client, nodes=[], edges=[])["id"]
    page = open_page(browser, complaints, bucket_easel.run("login-link"))
    page.goto(f"{bucket_easel.url}/w/{workflow_id}")
    expect(page.get_by_test_id("connection")).to_have_text(re.compile("Live"))
    sent: list[str] = []

    def hear(request: Request) -> None:
        if request.method == "PUT":
            sent.append(request.url)

    page.on("request", hear)

    hand_over(page, "drop", ".react-flow__pane", ("IMG 1.jpg", "image/jpeg", PHOTOGRAPH))

    assert_meadow(look_of(page, bucket_easel))
    endpoint = urlsplit(bucket).query.removeprefix("endpoint=")
    assert [url.startswith(f"{endpoint}/{BUCKET}/uploads/") for url in sent] == [True]
    refused = page.evaluate(_SENDS, f"{endpoint}/another-bucket/x")
    assert refused == "refused"
    assert any("Content Security Policy" in one for one in complaints), complaints
    complaints.clear()
    page.context.close()


_SENDS = "(url) => fetch(url, { method: 'PUT', body: 'x' }).then(() => 'sent', () => 'refused')"
