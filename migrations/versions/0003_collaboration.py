"""What an undo undid, who may come in since when, and where this database stands.

`workflows.access` counts every change of who may do what: a server that polls sees that a role has changed even when
nobody told it. A trigger counts, so that no way of changing a membership can forget to.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE workflow_ops ADD COLUMN undo_of bigint",
    # The log grows in the order of time: one entry for a hundred pages finds what is old.
    "CREATE INDEX workflow_ops_at ON workflow_ops USING brin (at)",
    "ALTER TABLE workflows ADD COLUMN access bigint NOT NULL DEFAULT 0",
    """
    CREATE FUNCTION count_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE workflows SET access = access + 1 WHERE id = coalesce(new.workflow_id, old.workflow_id);
      RETURN NULL;
    END $$""",
    """
    CREATE TRIGGER members_change AFTER INSERT OR UPDATE OR DELETE ON members
    FOR EACH ROW EXECUTE FUNCTION count_access_change()""",
    # One row. A dump that is put back into another database brings the place it came from along.
    """
    CREATE TABLE installation (
      is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
      place    text NOT NULL
    )""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
