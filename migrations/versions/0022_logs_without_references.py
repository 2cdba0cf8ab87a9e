"""A log and its answers without references to the workflow: each row that was written paid for a look at it.

Nothing writes one without the workflow: `canvas/store/append.py` draws both from an UPDATE of it, whose row lock keeps
it there until they are committed. What ON DELETE CASCADE did, a trigger does once a statement; it sees what was
committed while the DELETE waited for that lock. References of nodes and edges stay: who changes one pays nothing.
"""

from alembic import op

from migrations.online import lock_in_turn

revision = "0022"
down_revision = "0021"

STATEMENTS = (
    """
    CREATE FUNCTION take_logs_along() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM workflow_ops;
        DELETE FROM workflow_pushes;
      ELSE  -- arrays: the plan is made once, and may not depend on how many the first time were
        DELETE FROM workflow_ops WHERE workflow_id = ANY(ARRAY(SELECT id FROM gone));
        DELETE FROM workflow_pushes WHERE workflow_id = ANY(ARRAY(SELECT id FROM gone));
      END IF;
      RETURN NULL;
    END $$""",
    """
    CREATE TRIGGER workflows_gone AFTER DELETE ON workflows REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION take_logs_along()""",
    """
    CREATE TRIGGER workflows_emptied AFTER TRUNCATE ON workflows
    FOR EACH STATEMENT EXECUTE FUNCTION take_logs_along()""",
    "ALTER TABLE workflow_ops DROP CONSTRAINT workflow_ops_workflow_id_fkey",
    "ALTER TABLE workflow_pushes DROP CONSTRAINT workflow_pushes_workflow_id_fkey",
)


def upgrade() -> None:
    lock_in_turn("workflows", "workflow_ops", "workflow_pushes")
    for statement in STATEMENTS:
        op.execute(statement)
