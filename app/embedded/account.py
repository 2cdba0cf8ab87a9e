"""Which account PostgreSQL runs under. It refuses root, and a uid that has no name (a container's, often): both lend it
the uid of nobody.

Two ways for root, both from util-linux, neither of which makes a user or opens a folder: a user namespace in which
root's files belong to nobody; where a container forbids that, the uid itself with the right to pass through folders.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import msgspec

from app.embedded.errors import StartError

NOBODY = 65534


class Account(msgspec.Struct, frozen=True):
    """The command that a program is started through, and who must own its files."""

    prefix: tuple[str, ...]
    owner: int


NAMESPACE = Account(("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"), owner=0)
SETUID = Account(
    (
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        # Python and the data often live below a home folder that only root may enter.
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        "--pdeathsig=INT", "--",  # again: a change of uid clears the one that the child asked for
    ),
    owner=NOBODY,
)  # fmt: skip


def choose_account(program: Path) -> Account:
    if os.geteuid() != 0:
        return _of_user(program)
    for account in (NAMESPACE, SETUID):
        if _can_run(account, program):
            return account
    raise StartError(
        "PostgreSQL does not run as root, and neither unshare nor setpriv may lend it another uid here: "
        "run Easel as an ordinary user, or set EASEL_DATABASE_URL."
    )


def _of_user(program: Path) -> Account:
    uid = os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        unnamed = Account(NAMESPACE.prefix, owner=uid)
        if _can_run(unnamed, program):
            return unnamed
        raise StartError(
            f"PostgreSQL needs to know the name of user {uid}, and unshare may not lend it another one here: "
            "give the user a name in /etc/passwd, or set EASEL_DATABASE_URL."
        ) from None
    return Account((), owner=uid)


def give_to(account: Account, folder: Path) -> None:
    """Hand a folder of ours over when an earlier run used the other way."""
    if folder.stat().st_uid == account.owner:
        return
    for path in (*folder.rglob("*"), folder):  # the folder last: an interrupted hand-over starts over
        os.chown(path, account.owner, account.owner, follow_symlinks=False)


def _can_run(account: Account, program: Path) -> bool:
    if shutil.which(account.prefix[0]) is None:
        return False
    command = [*account.prefix, str(program), "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
