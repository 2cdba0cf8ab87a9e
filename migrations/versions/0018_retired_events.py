"""Which runs' events have been taken away, so that nobody looks for them again."""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = (
    "ALTER TABLE runs ADD COLUMN events_retired boolean NOT NULL DEFAULT false",
    "CREATE INDEX runs_with_events ON runs (finished_at) WHERE finished_at IS NOT NULL AND NOT events_retired",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
