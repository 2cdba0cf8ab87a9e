"""One trace from a request through the worker to the node, and the log beside it, as a collector gets them."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from jobs.tracing import span, traceparent
from tests.app.running import Person, Server, Worker

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROMPT = "A lighthouse at dusk"


class Collector:
    """Takes OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        self.bytes: list[bytes] = []
        self.spans: list[tuple[str, Any]] = []
        """With the service that sent each."""
        self.lines: list[tuple[str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Not into the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        self.bytes.append(body)
        if path == "/v1/traces":
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [(service_of(one.resource), sent) for scope in one.scope_spans for sent in scope.spans]
        elif path == "/v1/logs":
            for logs in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.lines += [
                    (service_of(logs.resource), line) for scope in logs.scope_logs for line in scope.log_records
                ]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def service_of(resource: Any) -> str:
    return next(str(one.value.string_value) for one in resource.attributes if one.key == "service.name")


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


def test_one_trace_leads_from_the_request_to_the_node(own_environment: dict[str, str], collector: Collector) -> None:
    """TR1: whose caller says that nothing is to be traced."""
    settings = own_environment | {"EASEL_OTLP_URL": collector.url, "EASEL_OTLP_LOGS": "true", "EASEL_ENV": "production"}
    server, worker = Server(settings), Worker(settings)
    try:
        person = Person(server, settings["EASEL_DATABASE_URL"], "traced")
        with person.http:
            person.http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-00"
            workflow_id = person.workflow()
            person.finishes(workflow_id)
            person.http.headers["traceparent"] = "00-none"
            assert person.http.get("/api/runs/run_none").status_code == 404
    finally:  # what is left is sent when they stop
        assert worker.stop() == 0
        assert server.stop() == 0

    found = {one.name: (service, one) for service, one in collector.spans}
    service, request = found["POST /api/runs"]
    assert (service, request.parent_span_id) == ("easel-server", b"")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in request.links] == [(TRACE, CALLER)]
    assert {one.trace_id for service, one in collector.spans if service == "easel-worker"} == {request.trace_id}
    service, run = found["run"]
    assert (service, run.parent_span_id) == ("easel-worker", request.span_id)
    for name in ("run.generation", "run.upload", "run.variants", "run.node"):
        service, stage = found[name]
        assert (service, stage.parent_span_id) == ("easel-worker", run.span_id), name
        assert stage.start_time_unix_nano < stage.end_time_unix_nano
    attributes = {one.key: one.value.string_value for one in run.attributes}
    assert attributes["easel.workflow"] == workflow_id
    assert attributes["easel.provider"] == "local"
    assert "GET /api/runs/{job_id}" in {name.replace(":str", "") for name in found}, sorted(found)

    lines = {(service, line.body.string_value): line for service, line in collector.lines}
    completed = lines["easel-worker", "run.completed"]
    assert (completed.trace_id.hex(), completed.span_id) == (request.trace_id.hex(), run.span_id)
    assert f'"trace": "{request.trace_id.hex()}"' in worker.text
    assert not [one for one in collector.bytes if PROMPT.encode() in one or person.token.encode() in one]


def test_switched_off_nothing_of_it_is_there() -> None:
    assert span("one", parent="00-x", run="1") is span("two")
    assert traceparent() is None

    code = "import sys, app.server, app.worker; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
