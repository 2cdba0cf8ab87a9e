"""What to show until a picture has come."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = ("ALTER TABLE render_variants ADD COLUMN blur text CHECK (length(blur) <= 40)",)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
