"""Notices of failed runs: who wants them, and which are on their way, delivered or given up."""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = (
    # The operator's has no account, and its address and secret are settings: its row only says that there is one.
    """
    CREATE TABLE failure_webhooks (
      id         text PRIMARY KEY,
      account_id text UNIQUE REFERENCES accounts ON DELETE CASCADE,
      url        text,
      secret     text,
      created_at timestamptz NOT NULL DEFAULT now(),
      CHECK (num_nulls(account_id, url, secret) IN (0, 3)),
      CHECK ((id = 'operator') = (account_id IS NULL)),
      CONSTRAINT no_base64_picture CHECK (url !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
    )""",
    # `due_at`: when it is tried next; null: it has ended.
    """
    CREATE TABLE notices (
      id           text PRIMARY KEY,
      webhook_id   text NOT NULL REFERENCES failure_webhooks ON DELETE CASCADE,
      run_id       text NOT NULL REFERENCES runs ON DELETE CASCADE,
      created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
      attempts     integer NOT NULL DEFAULT 0,
      due_at       timestamptz DEFAULT clock_timestamp(),
      delivered_at timestamptz,
      is_dead      boolean NOT NULL DEFAULT false,
      reason       text,
      UNIQUE (run_id, webhook_id),
      CHECK (NOT (is_dead AND delivered_at IS NOT NULL))
    )""",
    "CREATE INDEX notices_due ON notices (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX notices_webhook ON notices (webhook_id, created_at DESC, id DESC)",
    "CREATE INDEX notices_dead ON notices (created_at DESC, id DESC) WHERE is_dead",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
