"""Tickets remember what they were asked for with: a ticket of a token that was revoked opens nothing."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # null: a ticket from before, or of somebody whose credential is not kept here (a JWT, the admin token)
    op.execute("ALTER TABLE tickets ADD COLUMN proof bytea")
