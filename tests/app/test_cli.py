"""The `easel` command: what it prints, its exit codes, and a sentence for everything a person can put right."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.doctor.examination import CHECKS
from app.settings import Settings, name_of
from tests.app.running import ADMIN_TOKEN, Person, Server, Worker, some_name


def easel(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """Nothing is configured and nothing runs."""
    return {"EASEL_DATA_DIR": str(tmp_path / "data")}


def test_settings_shows_every_setting_and_no_secret(nowhere: dict[str, str]) -> None:
    url = "postgresql://me:word@host/db"

    done = easel("settings", EASEL_ADMIN_TOKEN=ADMIN_TOKEN, EASEL_DATABASE_URL=url, **nowhere)

    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(map(name_of, Settings.__struct_fields__)) <= set(lines)
    assert lines["EASEL_ADMIN_TOKEN"].split()[1:] == ["***", "environment"]
    assert lines["EASEL_PORT"].split()[1:] == ["8000", "default"]
    assert ADMIN_TOKEN not in done.stdout
    assert "word" not in done.stdout


def test_openapi_needs_no_database(nowhere: dict[str, str]) -> None:
    document = json.loads(easel("openapi", **nowhere).stdout)

    assert document["openapi"].startswith("3.1")
    assert set(document["components"]["securitySchemes"]) == {"token", "cookie"}


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["serve"], {"EASEL_PORT": "x"}, "EASEL_PORT"),
        (["serve"], {"EASEL_PORT": "99999"}, "EASEL_PORT"),
        (["serve"], {"EASEL_HOST": "203.0.113.1"}, "Cannot listen on 203.0.113.1"),
        (["serve"], {"EASEL_HOST": "not a host"}, "EASEL_HOST"),
        (["serve"], {}, "EASEL_DATABASE_URL is not set"),
        (["worker"], {}, "EASEL_DATABASE_URL is not set"),
        (
            ["serve"],
            {"EASEL_DATABASE_URL": "mysql://me:word@x/y"},
            "PostgreSQL cannot be reached at mysql://me:***@x/y",
        ),
        (["serve"], {"EASEL_DATABASE_URL": "postgresql://me:word@127.0.0.1:1/y"}, "PostgreSQL cannot be reached"),
        (["migrate"], {"EASEL_DATABASE_URL": "postgresql://me:word@127.0.0.1:1/y"}, "PostgreSQL cannot be used at"),
        (["login-link"], {}, "start `easel up`"),
        (["login-link"], {"EASEL_DATABASE_URL": "nonsense"}, "PostgreSQL cannot be used at nonsense"),
        (["login-link", "--role", "owner", "--name", "x"], {}, "There is one owner"),
        (["login-link", "--role", "member"], {}, "--name"),
        (["token", "list"], {"EASEL_DATABASE_URL": "postgresql://me:word@127.0.0.1:1/y"}, "PostgreSQL cannot be used"),
        (["account", "set", "Nobody"], {}, "--name, --color or --artwork-limit"),
        (["fly"], {}, "No such command"),
    ],
)
def test_mistake_is_one_sentence(
    nowhere: dict[str, str], arguments: list[str], settings: dict[str, str], says: str
) -> None:
    done = easel(*arguments, **nowhere | {"EASEL_PORT": "0"} | settings)

    assert done.returncode >= 2
    assert says in done.stderr
    assert "word" not in done.stderr.replace("password", "")


def test_serve_needs_redis_to_be_named(nowhere: dict[str, str], database_url: str) -> None:
    done = easel("serve", EASEL_DATABASE_URL=database_url, EASEL_PORT="0", **nowhere)

    assert done.returncode == 2
    assert "EASEL_REDIS_URL is not set" in done.stderr


def test_old_schema_is_said_with_its_cure(environment: dict[str, str], server: Server) -> None:
    empty = environment | {"EASEL_DATABASE_URL": re.sub(r"/edge_\w+", "/postgres", environment["EASEL_DATABASE_URL"])}

    for command in ("serve", "worker"):
        done = easel(command, **empty | {"EASEL_PORT": "0"})
        assert done.returncode == 2
        assert "run `easel migrate`" in done.stderr


def test_folder_that_cannot_be_made_is_said_with_its_cure(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = easel("serve", **environment | {"EASEL_DATA_DIR": str(tmp_path / "file" / "data"), "EASEL_PORT": "0"})

    assert done.returncode == 2
    assert "set EASEL_DATA_DIR" in done.stderr


def test_taken_port_is_said_with_its_cure(environment: dict[str, str], server: Server) -> None:
    done = easel("serve", **environment | {"EASEL_PORT": server.url.rpartition(":")[2]})

    assert done.returncode == 2
    assert "Set EASEL_PORT" in done.stderr


def test_migrating_twice_changes_nothing(environment: dict[str, str]) -> None:
    assert easel("migrate", **environment).stdout == "The schema is up to date.\n"


def test_login_link_and_token_sign_in(environment: dict[str, str], server: Server) -> None:
    name = some_name()
    environment = environment | {"EASEL_PUBLIC_URL": server.url}
    link = easel("login-link", "--name", name, **environment).stdout.strip()
    token = easel("token", "create", "--account", name, "--label", "ci", **environment).stdout.strip()

    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get(link).status_code == 303
        me = client.get("/api/me").json()
        assert me["name"] == name
        by_token = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/me", headers=by_token).json() == me

        listed = easel("token", "list", **environment).stdout
        assert token not in listed
        token_id = next(line.split()[0] for line in listed.splitlines() if me["id"] in line)
        assert easel("token", "revoke", token_id, **environment).returncode == 0
        assert easel("token", "revoke", token_id, **environment).returncode == 2
        assert client.get("/api/me", headers=by_token).status_code == 401


def test_account_is_renamed(environment: dict[str, str], person: Person) -> None:
    done = easel("account", "set", person.id, "--name", "Hedy Lamarr", "--color", "#123456", **environment)

    assert done.returncode == 0, done.stderr
    me = person.http.get("/api/me").json()
    assert (me["name"], me["color"]) == ("Hedy Lamarr", "#123456")
    assert easel("account", "set", person.id, "--color", "red", **environment).returncode == 2
    limits = ("--runs-per-day", "5", "--live-runs", "default", "--budget-usd-per-day", "2.50")
    assert easel("account", "set", person.id, *limits, **environment).returncode == 0
    assert easel("account", "set", person.id, "--budget-usd-per-day", "much", **environment).returncode == 2
    assert easel("account", "set", some_name(), "--name", "x", **environment).returncode == 2
    assert person.id in easel("account", "list", **environment).stdout


def test_demo_is_made_once(environment: dict[str, str], server: Server) -> None:
    first, second = (easel("seed", **environment).stdout for _ in range(2))

    assert (first.split()[0], second.split()[0]) == ("Made", "Already")
    assert first.split()[-1] == second.split()[-1]
    workflow_id = first.split("/w/")[1].strip()
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        demo = client.get(f"/api/workflows/{workflow_id}").json()
    assert [node["type"] for node in demo["nodes"]].count("image_generation") == 3
    assert len(demo["edges"]) == 2


def test_a_new_epoch_is_told_to_who_is_there(environment: dict[str, str], server: Server) -> None:
    """RT3"""
    easel("seed", **environment)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        before = {workflow["id"]: workflow["epoch"] for workflow in client.get("/api/workflows").json()["items"]}
        done = easel("new-epoch", **environment)
        after = {workflow["id"]: workflow["epoch"] for workflow in client.get("/api/workflows").json()["items"]}

    assert re.fullmatch(r"\d+ workflows? with a new epoch\..*\n", done.stdout)
    assert before.keys() == after.keys()
    assert set(before.values()).isdisjoint(after.values())


def test_doctor_finds_nothing_wrong(environment: dict[str, str], worker: Worker) -> None:
    done = easel("doctor", **environment | {"EASEL_PORT": "0"})

    marks = {line.split()[1]: line[0] for line in done.stdout.splitlines()}
    assert set(marks) == set(CHECKS)
    assert {name for name, mark in marks.items() if mark == "✗"} <= {"page"}  # a test run need not have built it
    assert done.returncode == (1 if marks["page"] == "✗" else 0)


def test_doctor_names_what_is_wrong_and_the_cure(nowhere: dict[str, str]) -> None:
    """DR2"""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        done = easel(
            "doctor",
            EASEL_DATABASE_URL="postgresql://me:word@127.0.0.1:1/y",
            EASEL_REDIS_URL="redis://:word@127.0.0.1:1",
            EASEL_STORAGE_URL="ftp://somewhere",
            EASEL_PORT=str(somebody.getsockname()[1]),
            **nowhere,
        )

    assert done.returncode == 1
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    for name in ("database", "redis", "storage", "server"):
        assert lines[name].startswith("✗"), lines[name]
        assert lines[name].endswith(".")
    for name in ("schema", "role", "room", "writes", "queue", "worker"):
        assert lines[name].startswith("–"), "what is wrong is said once"
    assert "word" not in done.stdout


def test_doctor_refuses_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = easel("doctor", EASEL_DATA_DIR=str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    assert "✗ data" in done.stdout
