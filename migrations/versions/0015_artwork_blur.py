"""What to show until an artwork's picture has come."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE artwork_pictures ADD COLUMN blur text CHECK (length(blur) <= 40)")
