"""API tokens that only read, and the tickets they are traded for."""

from alembic import op

revision = "0019"
down_revision = "0018"

STATEMENTS = (
    "ALTER TABLE api_tokens ADD COLUMN is_read_only boolean NOT NULL DEFAULT false",
    "ALTER TABLE tickets ADD COLUMN is_read_only boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
