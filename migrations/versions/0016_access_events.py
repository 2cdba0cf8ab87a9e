"""Who let whom in, and when: written by triggers, so that no way of giving access can forget it."""

from alembic import op

revision = "0016"
down_revision = "0015"

# `by_id` is null when nobody did it: a link that expired, an owner who made the workflow.
STATEMENTS = (
    """
    CREATE TABLE access_events (
      number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      workflow_id text NOT NULL REFERENCES workflows ON DELETE CASCADE,
      at          timestamptz NOT NULL DEFAULT now(),
      kind        text NOT NULL CHECK (kind IN (
        'role_given', 'role_taken', 'link_made', 'link_ended', 'link_followed', 'token_made', 'token_revoked')),
      account_id  text,
      share_id    text,
      role        text,
      may_run     boolean,
      by_id       text
    )""",
    "CREATE INDEX access_events_workflow ON access_events (workflow_id, number DESC)",
    """
    CREATE FUNCTION write_access_event() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      actor text := nullif(current_setting('easel.actor', true), '');
    BEGIN
      IF TG_TABLE_NAME = 'members' THEN
        IF TG_OP = 'DELETE' THEN
          INSERT INTO access_events (workflow_id, kind, account_id, role, may_run, by_id)
          SELECT OLD.workflow_id, 'role_taken', OLD.account_id, OLD.role, OLD.may_run, actor
          WHERE EXISTS (SELECT FROM workflows WHERE id = OLD.workflow_id);
        ELSIF TG_OP = 'INSERT' OR (OLD.role, OLD.may_run) IS DISTINCT FROM (NEW.role, NEW.may_run) THEN
          INSERT INTO access_events (workflow_id, kind, account_id, role, may_run, by_id)
          VALUES (NEW.workflow_id, 'role_given', NEW.account_id, NEW.role, NEW.may_run, actor);
        END IF;
      ELSIF TG_TABLE_NAME = 'shares' THEN
        IF TG_OP = 'INSERT' THEN
          INSERT INTO access_events (workflow_id, kind, share_id, role, may_run, by_id)
          VALUES (NEW.workflow_id, 'link_made', NEW.id, NEW.role, NEW.may_run, NEW.created_by);
        ELSIF OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
          INSERT INTO access_events (workflow_id, kind, share_id, role, may_run, by_id)
          VALUES (NEW.workflow_id, 'link_ended', NEW.id, NEW.role, NEW.may_run, actor);
        END IF;
      ELSIF TG_TABLE_NAME = 'share_guests' THEN
        IF TG_OP = 'INSERT' THEN
          INSERT INTO access_events (workflow_id, kind, account_id, share_id, role, may_run, by_id)
          SELECT NEW.workflow_id, 'link_followed', NEW.account_id, id, role, may_run, NEW.account_id
          FROM shares WHERE id = NEW.share_id;
        ELSE
          INSERT INTO access_events (workflow_id, kind, account_id, share_id, by_id)
          SELECT OLD.workflow_id, 'role_taken', OLD.account_id, OLD.share_id, actor
          WHERE EXISTS (SELECT FROM workflows WHERE id = OLD.workflow_id);
        END IF;
      ELSIF NEW.workflow_id IS NOT NULL THEN
        IF TG_OP = 'INSERT' THEN
          INSERT INTO access_events (workflow_id, kind, account_id, by_id)
          VALUES (NEW.workflow_id, 'token_made', NEW.account_id, actor);
        ELSIF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
          INSERT INTO access_events (workflow_id, kind, account_id, by_id)
          VALUES (NEW.workflow_id, 'token_revoked', NEW.account_id, actor);
        END IF;
      END IF;
      RETURN NULL;
    END $$""",
    *(
        f"CREATE TRIGGER {table}_access_event AFTER {events} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION write_access_event()"
        for table, events in {
            "members": "INSERT OR UPDATE OR DELETE",
            "shares": "INSERT OR UPDATE",
            "share_guests": "INSERT OR DELETE",
            "api_tokens": "INSERT OR UPDATE",
        }.items()
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
