"""Versions of a workflow: whole documents of the past, made by policy, by a person, or before a restore.

`workflows.seq` stays out of every index and index predicate: it changes with each commit, and such an update is cheap
only as long as no index has to follow it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

VERSIONS = """
ALTER TABLE workflows
  ADD COLUMN last_version integer NOT NULL DEFAULT 0,
  ADD COLUMN versioned_seq bigint NOT NULL DEFAULT 0;

-- `document` is zlib'ed JSON. Every record in it has passed the workflow's own tables, whose checks it cannot repeat.
CREATE TABLE workflow_versions (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  version      integer NOT NULL,
  epoch        text NOT NULL,
  seq          bigint NOT NULL,
  name         text,
  kind         text NOT NULL CHECK (kind IN ('auto', 'named', 'restore')),
  author_id    text,
  node_count   integer NOT NULL,
  edge_count   integer NOT NULL,
  document     bytea NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, version)
);
CREATE INDEX workflow_versions_passing ON workflow_versions (created_at) WHERE kind <> 'named';

-- Compressed already: PostgreSQL need not try.
ALTER TABLE workflow_versions ALTER COLUMN document SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    # asyncpg prepares every statement, and one at a time.
    for statement in VERSIONS.split(";\n"):
        if statement.strip():
            op.execute(statement)
