"""Failed runs with a real server and worker: told to operator and owner, listed, replayed, dismissed."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from jobs.webhooks.delivery import Delivery
from jobs.webhooks.standard import keys_of, verify
from tests.app.running import Person, Server, Worker
from tests.app.test_cli import easel

SECRET = "a secret of the operator, not base64"


class Receiver(NamedTuple):
    place: str
    got: queue.Queue[tuple[str, Delivery]]

    def next(self) -> tuple[str, Delivery]:
        return self.got.get(timeout=20)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    got: queue.Queue[tuple[str, Delivery]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.put((self.path, Delivery({name.lower(): value for name, value in self.headers.items()}, body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Receiver(f"127.0.0.1:{server.server_port}", got)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_failure_is_told_listed_replayed_and_dismissed(own_environment: dict[str, str], receiver: Receiver) -> None:
    settings = own_environment | {
        "EASEL_NOTICE_URL": f"http://{receiver.place}/operator",
        "EASEL_NOTICE_SECRET": SECRET,
        "EASEL_ALLOW_PRIVATE_HOSTS": receiver.place,  # pictures may be fetched from there, and nothing else
        "GENERIC_PROVIDER_URL": "http://127.0.0.1:9/make",  # nobody is there
        "EASEL_CALL_ATTEMPTS": "1",
    }
    server, worker = Server(settings), Worker(settings)
    try:
        person = Person(server, settings["EASEL_DATABASE_URL"], "owner")
        with person.http:
            for private in (f"http://{receiver.place}/owner", "http://127.0.0.1/"):
                refused = person.http.put("/api/me/failure-webhook", json={"url": private})
                assert refused.status_code == 422, private
            asked_for = person.http.put("/api/me/failure-webhook", json={"url": "https://nobody.invalid/owner"})
            assert asked_for.status_code == 200, asked_for.text
            assert asked_for.json()["secret"].startswith("whsec_")
            assert "secret" not in person.http.get("/api/me/failure-webhook").json()

            job_id = fails(person)
            path, delivery = receiver.next()
            told = json.loads(delivery.body)
            assert (path, told["data"]["jobId"]) == ("/operator", job_id)
            assert told["data"]["mayBeReplayed"] is True
            assert verify(delivery, keys_of(SECRET), float(delivery.headers["webhook-timestamp"]))
            assert until_tried(person) == "nobody.invalid cannot be found."

            (dead,) = person.http.get("/api/runs?dead=true").json()["items"]
            assert dead["jobId"] == job_id
            answer = person.http.post("/api/runs/replay", json={"jobIds": [job_id, "run_none"]})
            assert answer.status_code == 202, answer.text
            (replayed,), (not_replayed,) = answer.json()["replayed"], answer.json()["refused"]
            assert (replayed["jobId"], not_replayed["code"]) == (job_id, "NOT_FOUND")
            ended(person, replayed["replayedAs"])
            again = person.http.post("/api/runs/replay", json={"jobIds": [job_id]}).json()
            assert [one["code"] for one in again["refused"]] == ["INVALID_STATE"]

            path = f"/api/runs/{replayed['replayedAs']}/dismiss"
            assert person.http.post(path).json()["status"] == "failed"
            assert person.http.post(path).status_code == 409
            assert person.http.get("/api/runs?dead=true").json()["items"] == []
            assert person.http.delete("/api/me/failure-webhook").status_code == 204
            assert person.http.get("/api/me/failure-webhook").json() == {"url": None, "createdAt": None}
            assert person.http.get("/api/notices").json()["items"] == []
    finally:
        assert worker.stop() == 0
        assert server.stop() == 0
    assert easel("notices", "list", "--dead", **settings).stdout == ""
    assert easel("notices", "replay", "--all", **settings).stdout == "On their way again: 0.\n"
    assert easel("runs", "dismiss", "--all", **settings).stdout == "Dismissed: 0.\n"
    assert "run.failed" in worker.text
    assert "notice.delivered" in worker.text


def fails(person: Person) -> str:
    job_id: str = person.starts(person.workflow(), provider="generic", model="any")["jobId"]
    ended(person, job_id)
    return job_id


def ended(person: Person, job_id: str) -> None:
    assert [event["event"] for event in person.watches(f"/api/runs/{job_id}/events")][-1] == "end"
    assert person.http.get(f"/api/runs/{job_id}").json()["status"] == "failed"


def until_tried(person: Person) -> str:
    """Why the person's own notice was put off."""
    deadline = threading.Event()
    timer = threading.Timer(10, deadline.set)
    timer.start()
    while (notice := person.http.get("/api/notices?state=waiting").json()["items"][0])["reason"] is None:
        assert not deadline.is_set(), "not tried within 10 s"
    timer.cancel()
    return str(notice["reason"])
