"""Imports: pictures that are kept from addresses that end soon. Two unique indexes tell what is stored already."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    # An imported picture may be on no canvas. `source_hash`: SHA-256 of the address it came from.
    "ALTER TABLE renders ALTER COLUMN workflow_id DROP NOT NULL, ALTER COLUMN node_id DROP NOT NULL",
    "ALTER TABLE renders ADD COLUMN source_hash bytea, ADD COLUMN design_id text",
    "CREATE UNIQUE INDEX renders_source ON renders (account_id, source_hash) WHERE source_hash IS NOT NULL",
    "CREATE UNIQUE INDEX renders_design ON renders (account_id, design_id) WHERE design_id IS NOT NULL",
    "ALTER TABLE batches ADD COLUMN served_at timestamptz",
    """
    CREATE TABLE import_items (
      id           text PRIMARY KEY,
      batch_id     text NOT NULL REFERENCES batches ON DELETE CASCADE,
      number       smallint NOT NULL,
      account_id   text NOT NULL REFERENCES accounts ON DELETE CASCADE,
      url          text NOT NULL,
      source_hash  bytea NOT NULL,
      design_id    text,
      workflow_id  text,  -- no reference: the picture is kept although its canvas is gone
      node_id      text,
      salt         text NOT NULL,
      status       text NOT NULL DEFAULT 'pending' CHECK (
        status IN ('pending', 'running', 'completed', 'skipped', 'failed', 'cancelled')),
      fence        bigint NOT NULL DEFAULT 0,
      takeovers    integer NOT NULL DEFAULT 0,
      lease_until  timestamptz,
      render_id    text,
      error        json,
      finished_at  timestamptz,
      UNIQUE (batch_id, number),
      CONSTRAINT no_base64_picture CHECK (
        concat_ws(' ', url, design_id) !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
    )""",
    "CREATE INDEX import_items_live ON import_items (account_id) WHERE status IN ('pending', 'running')",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
