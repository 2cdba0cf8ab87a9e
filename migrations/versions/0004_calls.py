"""What was sent to providers, who waits for what, and what it costs.

A row of `provider_calls` is there before the order leaves, so that a crash can cost an answer and never a second order.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE provider_calls (
      id            text PRIMARY KEY,
      run_id        text NOT NULL REFERENCES runs ON DELETE CASCADE,
      number        smallint NOT NULL,
      attempt       integer NOT NULL,
      provider      text NOT NULL,
      model         text NOT NULL,
      credential    text NOT NULL,
      request_hash  bytea NOT NULL,
      state         text NOT NULL CHECK (
        state IN ('sending', 'accepted', 'answered', 'kept', 'failed', 'unknown', 'cancelled')),
      job_id        text,
      ticket        json,
      answer        json,
      error         json,
      estimate_usd  double precision,
      cost_usd      double precision,  -- null: not known, which is not 0
      pictures      smallint,
      sent_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
      accepted_at   timestamptz,
      ended_at      timestamptz,
      UNIQUE (run_id, attempt, number),
      CONSTRAINT no_base64_picture CHECK (
        concat(ticket::text, answer::text, error::text) !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
    )""",
    "CREATE UNIQUE INDEX provider_calls_job ON provider_calls (provider, job_id) WHERE job_id IS NOT NULL",
    "CREATE INDEX provider_calls_open ON provider_calls (sent_at) WHERE state IN ('sending', 'accepted')",
    """
    ALTER TABLE runs
      ADD COLUMN takeovers     integer NOT NULL DEFAULT 0,
      ADD COLUMN waited_s      double precision NOT NULL DEFAULT 0,
      ADD COLUMN waits_for     text,
      ADD COLUMN estimate_usd  double precision,
      ADD COLUMN cost_usd      double precision,
      ADD COLUMN cost_unknown  boolean NOT NULL DEFAULT false,
      ADD COLUMN is_dead       boolean NOT NULL DEFAULT false,
      ADD COLUMN replayed_as   text""",
    # The heads of all lines, one step each: an account's runs for a provider in the order in which they are due.
    "CREATE INDEX runs_in_line ON runs (account_id, provider, run_after, id) WHERE status = 'pending'",
    "CREATE INDEX runs_by_end ON runs (account_id, finished_at)",
    "CREATE INDEX runs_dead ON runs (started_at DESC, id DESC) WHERE is_dead",
    "ALTER TABLE accounts ADD COLUMN served_at timestamptz",
    "ALTER TABLE outbox ADD COLUMN ring_at timestamptz NOT NULL DEFAULT clock_timestamp()",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
