"""What comes late: pictures of orders that had ended as unknown, and small sizes that could not be made at once.

`look_at` and `variants_at` are when the next try is due, and who tries moves them on first: null, nobody tries.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    ALTER TABLE provider_calls
      ADD COLUMN look_at  timestamptz,
      ADD COLUMN looks    integer NOT NULL DEFAULT 0""",
    "CREATE INDEX provider_calls_late ON provider_calls (look_at) WHERE look_at IS NOT NULL",
    """
    ALTER TABLE renders
      ADD COLUMN variants_at    timestamptz,
      ADD COLUMN variant_tries  integer NOT NULL DEFAULT 0""",
    "CREATE INDEX renders_without_variants ON renders (variants_at) WHERE variants_at IS NOT NULL",
    "ALTER TABLE runs ADD COLUMN late_images text[] NOT NULL DEFAULT '{}'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
