import os
import stat
from pathlib import Path

import pytest

from app.embedded.datadir import DataDir, State, read_state
from app.embedded.errors import StartError

STATE = State(supervisor=1, database_url="postgresql://x", redis_url="unix://y", pids={"server": 2})


def test_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    made = DataDir(tmp_path / "deep" / "data").path

    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot be written to \(Not a directory\): set EASEL_DATA_DIR"):
        DataDir(tmp_path / "file" / "data")


def test_second_holder_is_refused_and_next_one_is_not(data: DataDir) -> None:
    with data.locked(), pytest.raises(StartError, match="already runs on the data folder"), DataDir(data.path).locked():
        pass

    with data.locked():
        pass


def test_state_is_read_while_its_writer_holds_the_folder(data: DataDir) -> None:
    with data.locked():
        data.write_state(STATE)

        assert read_state(data.path) == STATE

    assert read_state(data.path) is None


def test_state_of_a_killed_supervisor_is_not_believed(data: DataDir) -> None:
    data.write_state(STATE)
    (data.path / "lock").touch()

    assert read_state(data.path) is None


def test_no_state_where_easel_never_ran(tmp_path: Path) -> None:
    assert read_state(tmp_path / "nowhere") is None


def test_socket_folder_that_others_may_enter_is_refused(data: DataDir) -> None:
    data.socket_folder().chmod(0o755)

    with pytest.raises(StartError, match="is not a private folder of this user"):
        data.socket_folder()


def test_socket_folder_that_is_a_link_is_refused(data: DataDir, tmp_path: Path) -> None:
    folder = data.socket_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)

    with pytest.raises(StartError, match="is not a private folder of this user"):
        data.socket_folder()


def test_socket_path_stays_short_below_a_long_temporary_folder(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))

    folder = data.socket_folder()
    folder.rmdir()

    assert len(os.fsencode(folder)) < 80
