"""The `easel` command. Each command imports what it runs, so that `easel --help` answers at once."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import msgspec

from app.settings import Settings, SettingsError, masked, read_settings, sources

T = TypeVar("T")
EXIT_PROBLEM = 2


def main() -> None:
    """Runs the command line; what a person can put right ends in one sentence and exit code 2."""
    from app.embedded.errors import StartError
    from app.migrate import SchemaError
    from canvas.errors import EaselError

    try:
        code = cli(standalone_mode=False)
    except (SettingsError, StartError, SchemaError) as error:
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

    return run_up(_prepared())


@cli.command()
def serve() -> None:
    """Run the HTTP and WebSocket server."""
    import uvloop

    from app.server import serve as run_server

    uvloop.run(run_server(_prepared()))


@cli.command()
def worker() -> None:
    """Run a worker, which makes the pictures."""
    import uvloop

    from app.worker import work

    uvloop.run(work(_prepared()))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from app.migrate import migrate as run_migrations

    applied = asyncio.run(run_migrations(_database_url(_prepared())))
    click.echo(f"Applied: {', '.join(applied)}." if applied else "The schema is up to date.")


@cli.command("login-link")
@click.option("--name", help="The account to sign in; made when there is none. Without it: the owner.")
def login_link(name: str | None) -> None:
    """Print a link that signs a browser in once, within a day."""
    from app.auth.login_links import mint_login_link
    from app.embedded.datadir import read_state

    settings = _prepared()
    state = read_state(settings.data_dir)
    base_url = settings.public_url or (state.url if state is not None and state.url else settings.base_url)
    click.echo(asyncio.run(mint_login_link(_database_url(settings), base_url.rstrip("/"), name=name)))


@cli.group()
def token() -> None:
    """API tokens for programs."""


@token.command("create")
@click.option("--account", "name", help="The account's name; made when there is none. Without it: the owner.")
@click.option("--label", default="token", show_default=True, help="What it is for; shown in lists.")
@click.option("--days", type=click.IntRange(min=1), help="How long it is good for. Without it: until it is revoked.")
def create_token(name: str | None, label: str, days: int | None) -> None:
    """Print a new token. It is shown this once."""
    from app.auth import accounts, tokens

    async def create(connection: Any) -> str:
        account = await (accounts.find_or_create(connection, name) if name else accounts.ensure_owner(connection))
        return (await tokens.create_token(connection, account.id, label, days=days))[1]

    click.echo(_with_database(create))


@token.command("list")
def list_tokens() -> None:
    """List tokens, without their secrets."""
    from app.auth import tokens

    for one in _with_database(tokens.list_tokens):
        state = "revoked" if one.revoked_at else "live"
        used = one.last_used_at.isoformat(timespec="minutes") if one.last_used_at else "never used"
        click.echo(f"{one.id}  {one.account_id}  {state:8}  {used:24}  {one.name}")


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """Revoke a token at once."""
    from app.auth import tokens

    _with_database(lambda connection: tokens.revoke_token(connection, token_id))
    click.echo(f"Revoked {token_id}.")


@cli.group()
def account() -> None:
    """Accounts of this Easel."""


@account.command("list")
def list_accounts() -> None:
    """List accounts."""
    from app.auth import accounts

    for one in _with_database(accounts.list_accounts):
        click.echo(f"{one.id}  {one.role:6}  {one.name}")


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
    if value is None or value == []:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _prepared() -> Settings:
    from app.observe.logs import set_up_logs

    found = read_settings()
    set_up_logs(found)
    return found


def _database_url(found: Settings) -> str:
    """The database that is configured, or the one of the `easel up` that runs on this data folder."""
    from app.embedded.datadir import read_state

    if found.database_url:
        return found.database_url
    state = read_state(found.data_dir)
    if state is None or not state.database_url:
        raise SettingsError("No database: start `easel up` in another terminal, or set EASEL_DATABASE_URL.")
    return state.database_url


def _with_database(work: Callable[[Any], Awaitable[T]]) -> T:
    async def connected() -> T:
        import asyncpg

        try:
            connection = await asyncpg.connect(_database_url(_prepared()), timeout=10)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise SettingsError(f"The database cannot be reached ({error}).") from error
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


if __name__ == "__main__":
    main()
