"""Real object stores for the tests: moto speaks all of S3 and believes everybody, rclone less of it but looks closely.

Each is a process of its own that holds a bucket `pictures`, for whoever has KEY.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

BUCKET = "pictures"
KEY = {"AWS_ACCESS_KEY_ID": "the-tests", "AWS_SECRET_ACCESS_KEY": "their-secret"}
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def moto() -> Iterator[str]:
    """Its EASEL_STORAGE_URL."""
    with _serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]) as address:
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=the-tests/20260101/us-east-1/s3/aws4_request"}
        assert httpx.put(f"{address}/{BUCKET}", headers=signed, trust_env=False).status_code == 200
        yield f"s3://{BUCKET}?endpoint={address}"


@contextmanager
def rclone(folder: Path) -> Iterator[str]:
    """Its EASEL_STORAGE_URL; `folder` is where it keeps its buckets."""
    (folder / BUCKET).mkdir(parents=True)
    program = Path(sys.executable).with_name("rclone")
    credentials = ",".join(KEY.values())
    with _serving([program, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", credentials, folder]) as address:
        yield f"s3://{BUCKET}?endpoint={address}"


@contextmanager
def _serving(command: list[str | Path]) -> Iterator[str]:
    environment = os.environ | {"RCLONE_CONFIG": ""}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert process.stdout is not None
    said, found = [], None
    for line in process.stdout:
        said.append(line)
        if found := _ADDRESS.search(line):
            break
    reader = threading.Thread(target=process.stdout.read)  # a full pipe would hold it up
    reader.start()
    try:
        assert found, "".join(said)
        yield found[0]
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
