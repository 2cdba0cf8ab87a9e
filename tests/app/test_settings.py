"""Settings: where they come from, what is wrong with them, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, masked, read_settings, sources


def test_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("EASEL_PORT=9000\nEASEL_HOST=localhost\nLOG_LEVEL=\n")

    settings = read_settings({"EASEL_PORT": "9100"}, dotenv=file)

    assert (settings.port, settings.host, settings.log_level) == (9100, "localhost", "info")
    found = {name: source for name, _, source in sources({"EASEL_PORT": "9100"}, dotenv=file)}
    assert (found["EASEL_PORT"], found["EASEL_HOST"], found["LOG_LEVEL"]) == ("environment", ".env", "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EASEL_PORT", "many"),
        ("EASEL_PORT", "70000"),
        ("EASEL_PORT", "-1"),
        ("EASEL_ADMIN_TOKEN", "short"),
        ("EASEL_WORKER_CONCURRENCY", "0"),
        ("EASEL_LEASE_SECONDS", "0"),
        ("EASEL_HELLO_SECONDS", "0"),
        ("EASEL_HELLO_SECONDS", "nan"),
        ("EASEL_LOCAL_PACE_SECONDS", "-1"),
        ("EASEL_MAX_UPLOAD_BYTES", "0"),
        ("EASEL_OBJECTS_PUBLIC", "maybe"),
        ("EASEL_ENV", "staging"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_wrong_value_is_one_sentence_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as wrong:
        read_settings({name: value}, dotenv=None)

    assert "\n" not in str(wrong.value)
    if name == "EASEL_ADMIN_TOKEN":
        assert value not in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("EASEL_ADMIN_TOKEN", "abc", "***"),
        ("EASEL_DATABASE_URL", "postgresql://me:pa%40ss@host/db", "postgresql://me:***@host/db"),
        ("EASEL_REDIS_URL", "redis://:word@host", "redis://:***@host"),
        ("EASEL_HOST", "localhost", "localhost"),
        ("EASEL_ADMIN_TOKEN", "", ""),
    ],
)
def test_secrets_are_masked(name: str, value: str, shown: str) -> None:
    assert masked(name, value) == shown


def test_links_begin_where_people_reach_us() -> None:
    assert Settings(port=1).base_url == "http://127.0.0.1:1"
    assert Settings(host="::1", port=1).base_url == "http://[::1]:1"
    assert Settings(public_url="https://easel.example/").base_url == "https://easel.example"


def test_origins_are_our_own_and_those_that_are_allowed() -> None:
    settings = Settings(public_url="https://Easel.example/", allowed_origins=("https://app.example/x",))

    assert settings.origins == {"https://easel.example", "https://app.example"}
