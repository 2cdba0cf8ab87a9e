"""The `easel` command. Each command imports what it runs, so that `easel --help` answers at once."""

import asyncio
import os
import signal
import sys
from typing import Any

import click
import msgspec

from app.cli_backups import backup, restore
from app.cli_runs import notices, runs
from app.reach import database_url, prepared, reaching, running, with_database, with_services
from app.settings import Settings, SettingsError, masked, read_settings, sources

EXIT_ILL, EXIT_PROBLEM = 1, 2


def main() -> None:
    """Runs the command line; what a person can put right ends in one sentence and exit code 2."""
    from app.embedded.errors import StartError
    from canvas.errors import EaselError

    try:
        code = cli(standalone_mode=False)
    except (SettingsError, StartError) as error:
        _say(str(error))
    except EaselError as error:
        _say(error.detail)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _say(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(EXIT_PROBLEM)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="easel", message="%(version)s")
def cli() -> None:
    """The real-time backend for React Flow canvases that make pictures.

    Try it: `easel up`, then open the link it prints.
    """


@cli.command()
def up() -> int:
    """Run everything: databases, migrations, server and worker. Ctrl-C ends all of it."""
    from app.up import up as run_up

    return run_up(prepared())


@cli.command()
def restart() -> None:
    """Restart the servers and workers of `easel up`, one after another. With EASEL_SERVERS=2 or more nobody notices."""
    from app.embedded.errors import StartError

    state = running(prepared())
    if state is None:
        raise StartError("No `easel up` runs on this data folder.")
    try:
        os.kill(state.supervisor, signal.SIGUSR1)
    except ProcessLookupError as error:
        raise StartError("`easel up` has just ended.") from error
    click.echo("`easel up` restarts them now, and says there when it is done.")


@cli.command()
def serve() -> None:
    """Run the HTTP and WebSocket server."""
    import uvloop

    from app.observe.traces import observed
    from app.server import serve as run_server

    settings = prepared()
    with observed(settings, "easel-server"):
        uvloop.run(run_server(settings))


@cli.command()
def worker() -> None:
    """Run a worker, which makes the pictures."""
    import uvloop

    from app.observe.traces import observed
    from app.worker import work

    settings = prepared()
    with observed(settings, "easel-worker"):
        uvloop.run(work(settings))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from app.migrate import migrate as run_migrations

    url = database_url(prepared())
    with reaching(url):
        applied = asyncio.run(run_migrations(url))
    click.echo(f"Applied: {', '.join(applied)}." if applied else "The schema is up to date.")


@cli.command("login-link")
@click.option("--name", help="The account to sign in; made when there is none. Without it: the owner.")
@click.option(
    "--role", type=click.Choice(["owner", "member"]), help="The owner of this Easel, or somebody with --name."
)
def login_link(name: str | None, role: str | None) -> None:
    """Print a link that signs a browser in once, within a day."""
    from app.auth.login_links import mint_login_link

    if role == "owner" and name is not None:
        raise click.UsageError("There is one owner: leave --name out, or give `--role member`.")
    if role == "member" and name is None:
        raise click.UsageError("Whose link? Give --name as well.")
    settings = prepared()
    state = running(settings)
    base_url = settings.public_url or (state.url if state is not None and state.url else settings.base_url)
    url = database_url(settings)
    with reaching(url):
        click.echo(asyncio.run(mint_login_link(url, base_url.rstrip("/"), name=name)))


@cli.group()
def token() -> None:
    """API tokens for programs."""


@token.command("create")
@click.option("--account", "name", help="The account's name; made when there is none. Without it: the owner.")
@click.option("--label", default="token", show_default=True, help="What it is for; shown in lists.")
@click.option("--read-only", "is_read_only", is_flag=True, help="It may look at everything and change nothing.")
@click.option("--days", type=click.IntRange(min=1), help="How long it is good for. Without it: until it is revoked.")
def create_token(name: str | None, label: str, days: int | None, *, is_read_only: bool) -> None:
    """Print a new token. It is shown this once."""
    from app.auth import accounts, tokens

    async def create(connection: Any) -> str:
        account = await (accounts.find_or_create(connection, name) if name else accounts.ensure_owner(connection))
        return (await tokens.create_token(connection, account.id, label, days=days, is_read_only=is_read_only))[1]

    click.echo(with_database(create))


@token.command("list")
def list_tokens() -> None:
    """List tokens, without their secrets."""
    from app.auth import tokens

    for one in with_database(tokens.list_tokens):
        state = "revoked" if one.revoked_at else "live"
        used = one.last_used_at.isoformat(timespec="minutes") if one.last_used_at else "never used"
        scope = "reads" if one.is_read_only else "writes"
        click.echo(f"{one.id}  {one.account_id}  {state:8}  {scope:6}  {used:24}  {one.name}")


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """Revoke a token at once."""
    from app.auth import tokens

    with_database(lambda connection: tokens.revoke_token(connection, token_id))
    click.echo(f"Revoked {token_id}.")


@cli.group()
def account() -> None:
    """Accounts of this Easel."""


@account.command("list")
def list_accounts() -> None:
    """List accounts."""
    from app.auth import accounts

    for one in with_database(accounts.list_accounts):
        click.echo(f"{one.id}  {one.role:6}  {one.name}")


@account.command("set")
@click.argument("name")
@click.option("--name", "new_name", help="What it is called from now on.")
@click.option("--color", help="The color of its cursor, as #rrggbb.")
@click.option("--artwork-limit", metavar="N", help="How many artworks it may have.")
@click.option("--runs-per-day", metavar="N", help="How many runs it may start in a day.")
@click.option("--live-runs", metavar="N", help="How many of its runs may wait or go on at a time.")
@click.option("--budget-usd-per-day", metavar="USD", help="What it may spend in a day.")
def set_account(name: str, new_name: str | None, color: str | None, **wanted: str | None) -> None:
    """Change an account. NAME is what `easel account list` calls it, or its id.

    A limit that is `default` is the setting's again.
    """
    from app.auth import accounts

    given = {limit: value for limit, value in wanted.items() if value is not None}
    if new_name is None and color is None and not given:
        raise click.UsageError("Say what to change: --name, --color or --artwork-limit, or another limit (--help).")
    limits = {limit: _limit(limit, value) for limit, value in given.items()}

    async def change(connection: Any) -> Any:
        for limit, value in limits.items():
            await accounts.set_limit(connection, name, limit, value)
        return await accounts.change_named(connection, name, name=new_name, color=color)

    changed = with_database(change)
    click.echo(f"{changed.id}  {changed.role:6}  {changed.name}  {changed.color}")


def _limit(limit: str, value: str) -> float | None:
    whole = limit != "budget_usd_per_day"
    if value == "default":
        return None
    if not value.isascii() or not (value if whole else value.replace(".", "", 1)).isdecimal():
        kind = "a whole number" if whole else "an amount such as 2.50"
        raise click.UsageError(f"--{limit.replace('_', '-')} takes {kind}, or `default`.")
    return int(value) if whole else float(value)


@cli.group()
def objects() -> None:
    """Stored pictures, as bytes."""


@objects.command("sweep")
@click.option("--delete", "is_to_delete", is_flag=True, help="Do it. Without it: only say what would be done.")
@click.option(
    "--older-than",
    "hours",
    metavar="HOURS",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Leave alone what is younger: it may be just under way.",
)
def sweep_objects(is_to_delete: bool, hours: int) -> None:
    """Find objects that no row names, and rows whose object is gone. Workers do the former by themselves."""
    from app.stock import take_stock

    click.echo("\n".join(with_services(lambda services: take_stock(services.sweep, hours, delete=is_to_delete))))
    _leave(0)


@cli.command()
def seed() -> None:
    """Make a demo workflow in the owner's account. A second time changes nothing."""
    from app.demo import NAME
    from app.demo import seed as make_demo

    async def make(connection_url: str) -> tuple[str, bool]:
        import asyncpg

        async with asyncpg.create_pool(connection_url, min_size=1, max_size=2) as pool:
            return await make_demo(pool)

    url = database_url(prepared())
    with reaching(url):
        workflow_id, is_new = asyncio.run(make(url))
    click.echo(f"{'Made' if is_new else 'Already there:'} “{NAME}”: /w/{workflow_id}")


@cli.command()
@click.argument("workflow_id", metavar="WORKFLOW")
@click.option("--server", "server_url", help="Its address. Without it: the `easel up` on this data folder.")
@click.option(
    "--token", envvar="EASEL_TOKEN", help="Or EASEL_TOKEN, or EASEL_ADMIN_TOKEN. `easel token create` makes one."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def watch(workflow_id: str, server_url: str | None, token: str | None, as_json: bool) -> None:
    """Follow a workflow live: edits, people and runs, a line each. Ctrl-C ends it."""
    from app.watch import watch as follow

    settings = prepared()
    state = None if server_url else running(settings)
    url = server_url or (state.url if state is not None and state.url else settings.base_url)
    token = token or settings.admin_token
    if token is None:
        raise click.UsageError("Whose eyes? Give --token, or set EASEL_TOKEN: `easel token create` prints one.")
    asyncio.run(follow(url, workflow_id, token, as_json=as_json))


@cli.command("new-epoch")
def new_epoch() -> None:
    """After you put a backup back in place: every browser loads afresh and sends again what was not stored.

    A dump that is restored into another database is noticed without it.
    """
    from canvas.store.epochs import renew_epochs

    count = with_database(renew_epochs)
    click.echo(
        f"{count} workflow{'' if count == 1 else 's'} with a new epoch. Servers that run notice within a second."
    )


@cli.command()
def doctor() -> None:
    """Say what is configured, reachable and missing. Exit code 1 when something is wrong."""
    from app.doctor.examination import examine

    found = read_settings()
    findings = asyncio.run(examine(found, running(found)))
    for finding in findings:
        click.echo(finding.line())
    _leave(0 if all(finding.is_well for finding in findings) else EXIT_ILL)


def _leave(code: int) -> None:
    """obstore's threads may still be letting go of Python objects: an ordinary exit then aborts, one time in twenty."""
    sys.stdout.flush()
    os._exit(code)


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document. Needs no database."""
    from app.server import openapi_document

    click.echo(msgspec.json.format(msgspec.json.encode(openapi_document())).decode())


@cli.command()
def settings() -> None:
    """Show every setting, its value and where it comes from; secrets are masked."""
    current = read_settings()
    defaults = msgspec.to_builtins(Settings(), enc_hook=str)
    for (name, value, source), field in zip(sources(), Settings.__struct_fields__, strict=True):
        default = defaults[field]
        shown = masked(name, value) if source != "default" else _default(default)
        click.echo(f"{name:28} {shown:40} {source}")
    click.echo(f"{'(links begin with)':28} {current.base_url}")


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


cli.add_command(backup)
cli.add_command(restore)
cli.add_command(runs)
cli.add_command(notices)

if __name__ == "__main__":
    main()
