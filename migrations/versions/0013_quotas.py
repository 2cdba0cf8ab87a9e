"""Quotas: how many runs an account may start in a day and have at once, and whose money a run spends."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    # null: as the settings say
    """
    ALTER TABLE accounts
      ADD COLUMN runs_per_day        integer CHECK (runs_per_day >= 0),
      ADD COLUMN live_runs           integer CHECK (live_runs >= 0),
      ADD COLUMN budget_usd_per_day  double precision CHECK (budget_usd_per_day >= 0)""",
    # The workflow's owner, for a guest's run; null: who started it.
    "ALTER TABLE runs ADD COLUMN payer_id text REFERENCES accounts",
    "CREATE INDEX runs_paid_by_end ON runs ((coalesce(payer_id, account_id)), finished_at)",
    "CREATE INDEX runs_paid_by_start ON runs ((coalesce(payer_id, account_id)), started_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
