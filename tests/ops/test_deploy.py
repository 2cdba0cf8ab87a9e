"""Dockerfile, compose.yaml, units and manifests: what can be held to be right without running them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings, name_of
from tests.rules.test_house import ROOT

DEPLOY = ROOT / "docs" / "deploy"
SETTINGS = set(map(name_of, Settings.__struct_fields__))
OTHERS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""Of the object store's own, and no settings of ours."""
DRAIN_S = Settings().drain_seconds
ENDS_S = 5
"""What a server needs after its delay (docs/ops/restarts.md)."""


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def seconds(written: str) -> int:
    return int(written.removesuffix("s"))


def test_every_setting_that_is_named_exists() -> None:
    """UP2: in pages, containers, units and manifests"""
    files = [ROOT / "compose.yaml", ROOT / "Dockerfile", *(path for path in DEPLOY.rglob("*") if path.is_file())]
    assert len(files) > 20
    named = {(file.name, name) for file in files for name in re.findall(r"\bEASEL_[A-Z0-9_]+\b", file.read_text())}

    assert {(file, name) for file, name in named if name not in SETTINGS} == set()
    given = set(compose()["x-easel"]["environment"]) - OTHERS
    assert given <= SETTINGS


def test_the_image_is_small_and_nobodys() -> None:
    """UP2: several stages, a user without rights by number, a health check, and nothing that was not named"""
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", text, re.MULTILINE)
    assert [name for _, name in stages] == ["page", "build", "run", "tools", ""]
    assert stages[-1][0] == "run"
    assert all(":" in image for image, _ in stages if image not in {"run"}), "an image without a tag is any image"
    run = text.split("AS run\n")[1].split("\nFROM ")[0]
    assert re.search(r"^USER 10001:10001$", run, re.MULTILINE)
    assert "HEALTHCHECK" in run
    assert "/health/live" in run
    assert re.findall(r"^USER (\S+)$", text.split("AS tools\n")[1], re.MULTILINE)[-1] == "10001:10001"
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]  # what a build may see
    for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch(source, one) or source.startswith(f"{one}/") for one in allowed), source


def test_containers_are_watched_held_and_given_time() -> None:
    """UP2: each service has a health check or ends, ours have no rights, and orders come to their end"""
    services = compose()["services"]
    assert {name.split("-")[0] for name in services} == {
        "caddy", "server", "worker", "migrate", "backup", "postgres", "redis", "s3",
    }  # fmt: skip
    assert {"server-1", "server-2", "worker-1", "worker-2"} <= set(services)
    for name, service in services.items():
        check = service["healthcheck"]
        assert "test" in check or (check == {"disable": True} and service["restart"] == "no"), name
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name
        if service["image"].startswith("easel"):
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
            assert "ports" not in service, name
    for number in "12":
        server, worker = services[f"server-{number}"], services[f"worker-{number}"]
        assert server["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        delay = float(server["environment"]["EASEL_SHUTDOWN_DELAY_SECONDS"])
        assert seconds(server["stop_grace_period"]) > delay + 2
        assert seconds(worker["stop_grace_period"]) > DRAIN_S
    assert "noeviction" in services["redis"]["command"]


def test_what_compose_asks_for_is_said() -> None:
    """UP2: each variable without a default is in the page's .env"""
    needed = set(re.findall(r"\$\{(\w+)(?::\?[^}]*)?\}", (ROOT / "compose.yaml").read_text()))
    written = set(re.findall(r"^(\w+)=", (DEPLOY / "compose.md").read_text(), re.MULTILINE))

    assert needed <= written


class Unit(configparser.RawConfigParser):
    """A unit file, in which a key may stand several times."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment, method-assign]
        self.read(path)


UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_have_no_rights_and_are_given_time(path: Path) -> None:
    """UP2"""
    unit = Unit(path)["Service"]

    assert unit["User"] == "easel"
    assert unit["CapabilityBoundingSet"] == ""
    for key, value in {"ProtectSystem": "strict", "NoNewPrivileges": "yes", "PrivateTmp": "yes"}.items():
        assert unit[key] == value, key
    command = unit["ExecStart"].removeprefix("/opt/easel/bin/easel ").split()[0]
    assert command in {"serve", "worker", "migrate", "backup"}
    if command == "worker":
        assert int(unit["TimeoutStopSec"]) > DRAIN_S
    if command == "serve":
        delay = re.search(r"EASEL_SHUTDOWN_DELAY_SECONDS=(\d+)", path.read_text())
        assert delay is not None
        assert int(unit["TimeoutStopSec"]) > int(delay[1]) + ENDS_S
        assert int(unit["LimitNOFILE"]) >= 4096


STOPS_WITH = ("Requires", "Requisite", "BindsTo")
"""What another unit's stop or failure comes through (systemd.unit)."""


@pytest.mark.parametrize("name", ["server", "worker"])
def test_a_migration_stops_nobody_and_is_tried_again(name: str) -> None:
    """UP2: `systemctl restart easel-migrate` leaves the others running; a late database is waited for"""
    unit = Unit(DEPLOY / "systemd" / f"easel-{name}@.service")
    migrate = Unit(DEPLOY / "systemd" / "easel-migrate.service")

    assert {key for key in STOPS_WITH if "easel-migrate" in unit["Unit"].get(key, "")} == set()
    assert "easel-migrate" not in unit["Unit"]["PartOf"]
    assert "easel-migrate.service" in unit["Unit"]["Wants"].split()
    assert "easel-migrate.service" in unit["Unit"]["After"].split()
    assert (unit["Service"]["Restart"], migrate["Service"]["Restart"]) == ("always", "on-failure")
    assert unit["Unit"]["StartLimitIntervalSec"] == migrate["Unit"]["StartLimitIntervalSec"] == "0"


def test_a_new_version_rebuilds_every_image() -> None:
    """UP2: services of a profile are built only when it is named"""
    profiles = {name for one in compose()["services"].values() if "build" in one for name in one.get("profiles", ())}
    page = (DEPLOY / "compose.md").read_text()

    commands = re.findall(r"`docker compose ([^`]*)\bbuild`", page)
    assert profiles == {"tools"}
    assert commands
    assert all(f"--profile {profile}" in command for command in commands for profile in profiles)


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    """UP2: where there is a systemd to ask"""
    if shutil.which("systemd-analyze") is None:
        assert len(UNITS) == 4, "they are held by the test above"
        return
    for unit in (DEPLOY / "systemd").iterdir():  # `easel` is not installed here; anything that can be run stands for it
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/easel/bin/easel", "/bin/true"))
    names = ["easel.target", "easel-server@8001.service", "easel-worker@1.service", "easel-backup.timer"]

    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in names)],
        cwd=tmp_path, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, "easel" in done.stderr) == (0, False), done.stderr


def manifests() -> Iterator[dict[str, Any]]:
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Pod specifications by the name of what makes them."""
    for one in manifests():
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield one["metadata"]["name"], spec["template"]["spec"]


def test_pods_are_watched_held_and_given_time() -> None:
    """UP2: they keep to the restricted standard, and what lasts has probes"""
    found = dict(pods())
    assert set(found) == {"easel-migrate", "easel-server", "easel-worker", "easel-backup"}
    for name, pod in found.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert container["resources"]["limits"]["memory"], name
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}, name
        if name in {"easel-server", "easel-worker"}:
            assert {"livenessProbe", "startupProbe"} <= set(container), name
    (server,) = found["easel-server"]["containers"]
    assert server["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    delay = next(float(one["value"]) for one in server["env"] if one["name"] == "EASEL_SHUTDOWN_DELAY_SECONDS")
    assert found["easel-server"]["terminationGracePeriodSeconds"] > delay + ENDS_S
    assert found["easel-worker"]["terminationGracePeriodSeconds"] > DRAIN_S


def test_manifests_belong_together() -> None:
    """UP2: what is listed is there, selectors find pods, and configuration is settings"""
    folder = DEPLOY / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    there = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(listed) - {"secret.yaml"} == there
    for one in manifests():
        spec = one.get("spec", {})
        if one["kind"] == "Deployment":
            assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
        names = {**one.get("data", {}), **one.get("stringData", {})}
        assert set(names) <= SETTINGS | OTHERS, one["kind"]


def test_caddy_understands_its_file() -> None:
    """UP2: where there is a Caddy to ask"""
    text = (DEPLOY / "compose" / "Caddyfile").read_text()
    assert "server-1:8000 server-2:8000" in text
    assert "health_uri /health/ready" in text
    caddy = os.environ.get("EASEL_TEST_CADDY") or shutil.which("caddy")
    if caddy is None:
        assert text.count("{") == text.count("}")
        return
    done = subprocess.run(
        [caddy, "adapt", "--config", DEPLOY / "compose" / "Caddyfile", "--adapter", "caddyfile"],
        env=os.environ | {"DOMAIN": "easel.example.com", "S3_DOMAIN": "s3.example.com"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
