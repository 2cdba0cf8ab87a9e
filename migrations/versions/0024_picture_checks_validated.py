"""The CHECKs of 0023 hold for the rows that were there before: each is read, while others read and write."""

from alembic import op

revision = "0024"
down_revision = "0023"

STATEMENTS = (
    "ALTER TABLE workflow_ops VALIDATE CONSTRAINT no_base64_picture",
    "ALTER TABLE workflow_nodes VALIDATE CONSTRAINT no_base64_picture",
    "ALTER TABLE workflow_edges VALIDATE CONSTRAINT no_base64_picture",
)


def upgrade() -> None:
    # Each by itself: what has been read stays read when the next one has to wait, and vacuums may come between.
    with op.get_context().autocommit_block():
        for statement in STATEMENTS:
            op.execute(statement)
