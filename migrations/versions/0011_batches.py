"""Batches: many runs that were asked for at once, of which so many go on at a time.

A run that waits for its place in its batch is pending and due at no time (`run_after` is infinity), so that no claim
looks at it and code that knows nothing of batches leaves it alone.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = (
    """
    CREATE TABLE batches (
      id            text PRIMARY KEY,
      kind          text NOT NULL CHECK (kind IN ('runs', 'import')),
      account_id    text NOT NULL REFERENCES accounts ON DELETE CASCADE,
      concurrency   smallint NOT NULL CHECK (concurrency > 0),
      size          smallint NOT NULL,
      created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
      cancelled_at  timestamptz,
      finished_at   timestamptz
    )""",
    "CREATE INDEX batches_account ON batches (account_id)",
    "CREATE INDEX batches_open ON batches (created_at) WHERE finished_at IS NULL",
    """
    ALTER TABLE runs
      ADD COLUMN batch_id     text REFERENCES batches ON DELETE SET NULL,
      ADD COLUMN batch_place  smallint""",
    "CREATE INDEX runs_batch ON runs (batch_id, batch_place) WHERE batch_id IS NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
