"""Reports that providers sent, once each. Not what they say: nobody believes it."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE webhook_inbox (
      number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      provider     text NOT NULL,
      event_id     text NOT NULL,
      job_id       text,      -- the provider's
      order_id     text,      -- from the address; whose it is, if anybody's, is call_id
      word         text NOT NULL,
      rank         smallint NOT NULL,
      received_at  timestamptz NOT NULL DEFAULT now(),
      sorted_at    timestamptz,
      call_id      text,
      UNIQUE (provider, event_id)
    )""",
    "CREATE INDEX webhook_inbox_waiting ON webhook_inbox (number) WHERE sorted_at IS NULL",
    "CREATE INDEX webhook_inbox_call ON webhook_inbox (call_id) WHERE call_id IS NOT NULL",
    "CREATE INDEX webhook_inbox_received ON webhook_inbox USING brin (received_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
