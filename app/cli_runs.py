"""`easel runs` and `easel notices`: what failed for good, and whoever was not told of it."""

from typing import TYPE_CHECKING

import click

from app.reach import with_services

if TYPE_CHECKING:
    from app.compose import Services


@click.group()
def runs() -> None:
    """Runs that need somebody."""


@runs.command("list")
@click.option("--dead", is_flag=True, required=True, help="Those that failed although trying again might help.")
@click.option("--limit", default=50, show_default=True)
def list_runs(dead: bool, limit: int) -> None:  # noqa: ARG001 - said, so that a later list without it means all
    """List dead runs, newest first."""
    for run in with_services(lambda services: services.runs.dead(limit)):
        reason = f"{run.error.code}  charged: {run.error.charged}" if run.error else ""
        reason += "  its picture came late" if run.late_images else ""
        click.echo(f"{run.job_id}  {run.provider:10}  {run.started_at:%Y-%m-%d %H:%M}  {reason}")


@runs.command("replay")
@click.argument("run_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every dead run, but those whose picture came late.")
def replay_runs(run_id: str | None, every: bool) -> None:
    """Start a dead run once more, as a new one. One that may have been charged may be charged again."""
    from app.replay import replay

    if (run_id is None) is not every:
        raise click.UsageError("Name a run, or give --all.")
    for old, new in with_services(lambda services: replay(services.runs, run_id)):
        click.echo(f"{old} runs again as {new}.")


@runs.command("dismiss")
@click.argument("run_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every dead run.")
def dismiss_runs(run_id: str | None, every: bool) -> None:
    """Take a dead run off the list without another try."""
    if (run_id is None) is not every:
        raise click.UsageError("Name a run, or give --all.")

    async def dismiss(services: "Services") -> int:
        if run_id is None:
            return await services.runs.dismiss_all()
        await services.runs.dismiss(run_id)
        return 1

    click.echo(f"Dismissed: {with_services(dismiss)}.")


@runs.command("resume-key")
@click.argument("provider")
def resume_key(provider: str) -> None:
    """Use a provider's key again that the provider had refused."""

    async def resume(services: "Services") -> None:
        await services.gate.resume(services.registry.get(provider).credential)

    with_services(resume)
    click.echo(f"The key of {provider} is in use again.")


@click.group()
def notices() -> None:
    """What operator and owners are told of failed runs."""


@notices.command("list")
@click.option("--dead", is_flag=True, required=True, help="Those that were given up: nobody took them.")
@click.option("--limit", default=50, show_default=True)
def list_notices(dead: bool, limit: int) -> None:  # noqa: ARG001 - as for runs
    """List dead notices, newest first."""
    for one in with_services(lambda services: services.notices.store.dead(limit)):
        click.echo(f"{one.id}  {one.job_id}  {one.created_at:%Y-%m-%d %H:%M}  {one.reason}")


@notices.command("replay")
@click.argument("notice_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every dead notice.")
def replay_notices(notice_id: str | None, every: bool) -> None:
    """Send a dead notice again."""
    if (notice_id is None) is not every:
        raise click.UsageError("Name a notice, or give --all.")

    async def replay(services: "Services") -> int:
        if notice_id is None:
            return await services.notices.store.replay_all()
        await services.notices.store.replay(notice_id)
        return 1

    click.echo(f"On their way again: {with_services(replay)}.")
