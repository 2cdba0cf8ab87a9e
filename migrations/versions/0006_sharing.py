"""Sharing: links that give a role, tokens for another app's own users, accounts of an external issuer.

`workflow_roles` is what everybody may do where: the highest of what a membership and links give. Whoever asks for a
role asks it and not `members`.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    # Somebody who came through a link or another app: at home in what was shared, and nowhere else.
    "ALTER TABLE accounts DROP CONSTRAINT accounts_role_check",
    "ALTER TABLE accounts ADD CONSTRAINT accounts_role_check CHECK (role IN ('owner', 'member', 'guest'))",
    # Who an account is elsewhere. `issuer`: a JWT's `iss`, or the workflow for which its owner's app named the user.
    """
    CREATE TABLE identities (
      issuer      text NOT NULL,
      subject     text NOT NULL,
      account_id  text NOT NULL REFERENCES accounts ON DELETE CASCADE,
      PRIMARY KEY (issuer, subject)
    )""",
    "CREATE INDEX identities_account ON identities (account_id)",
    "ALTER TABLE api_tokens ADD COLUMN workflow_id text REFERENCES workflows ON DELETE CASCADE",
    # When what the ticket's owner signed in with ends: so does the socket that is opened with it.
    "ALTER TABLE tickets ADD COLUMN until timestamptz",
    "CREATE INDEX api_tokens_passing ON api_tokens (expires_at) WHERE workflow_id IS NOT NULL",
    # The secret is kept as it is, for the owner copies the link again; it goes with the link's end. Who reads this
    # table reads the workflow's rows as well.
    """
    CREATE TABLE shares (
      id           text PRIMARY KEY,
      workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
      secret       text UNIQUE,
      role         text NOT NULL CHECK (role IN ('editor', 'viewer')),
      may_run      boolean NOT NULL,
      created_by   text REFERENCES accounts ON DELETE SET NULL,
      created_at   timestamptz NOT NULL DEFAULT now(),
      expires_at   timestamptz,
      ended_at     timestamptz
    )""",
    "CREATE INDEX shares_workflow ON shares (workflow_id, created_at DESC, id DESC) WHERE ended_at IS NULL",
    "CREATE INDEX shares_expiring ON shares (expires_at) WHERE ended_at IS NULL",
    """
    CREATE TABLE share_guests (
      share_id     text NOT NULL REFERENCES shares ON DELETE CASCADE,
      account_id   text NOT NULL REFERENCES accounts ON DELETE CASCADE,
      workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
      created_at   timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (share_id, account_id)
    )""",
    "CREATE INDEX share_guests_account ON share_guests (account_id, workflow_id)",
    "CREATE INDEX share_guests_workflow ON share_guests (workflow_id, account_id)",
    """
    CREATE TRIGGER shares_change AFTER UPDATE ON shares
    FOR EACH ROW EXECUTE FUNCTION count_access_change()""",
    """
    CREATE TRIGGER share_guests_change AFTER INSERT OR DELETE ON share_guests
    FOR EACH ROW EXECUTE FUNCTION count_access_change()""",
    """
    CREATE VIEW workflow_roles AS
    SELECT workflow_id, account_id, (ARRAY['viewer', 'editor', 'owner'])[max(rank)] AS role,
      bool_or(may_run AND rank > 1) AS may_run, min(created_at) AS created_at
    FROM (
      SELECT workflow_id, account_id, array_position(ARRAY['viewer', 'editor', 'owner'], role) AS rank, may_run,
        created_at
      FROM members
      UNION ALL
      SELECT share_guests.workflow_id, account_id, array_position(ARRAY['viewer', 'editor'], role), may_run,
        share_guests.created_at
      FROM share_guests JOIN shares ON shares.id = share_id
      WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    ) AS given
    GROUP BY workflow_id, account_id""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
