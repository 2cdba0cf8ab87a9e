"""First light: accounts, workflows with their operation log, runs with their events, and stored pictures.

`json` and not `jsonb` where a document is kept: what a client stored comes back to the byte (key order, 1e300, -0.0).
"""

from alembic import op

revision = "0001"
down_revision = None

ACCOUNTS = """
CREATE TABLE accounts (
  id          text PRIMARY KEY,
  name        text NOT NULL,
  color       text NOT NULL,
  role        text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member')),
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX accounts_owner ON accounts (role) WHERE role = 'owner';

-- Secrets are kept as SHA-256: they are 256 random bits, so a slow hash would protect nothing.
CREATE TABLE api_tokens (
  id            text PRIMARY KEY,
  account_id    text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name          text NOT NULL,
  token_hash    bytea NOT NULL UNIQUE,
  created_at    timestamptz NOT NULL DEFAULT now(),
  expires_at    timestamptz,
  last_used_at  timestamptz,
  revoked_at    timestamptz
);
CREATE INDEX api_tokens_account ON api_tokens (account_id);

CREATE TABLE sessions (
  token_hash  bytea PRIMARY KEY,
  account_id  text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);

-- A WebSocket ticket: one use, 60 seconds.
CREATE TABLE tickets (
  token_hash  bytea PRIMARY KEY,
  account_id  text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  expires_at  timestamptz NOT NULL
);
"""

WORKFLOWS = """
CREATE TABLE workflows (
  id          text PRIMARY KEY,
  name        text NOT NULL,
  epoch       text NOT NULL,
  seq         bigint NOT NULL DEFAULT 0,
  event_seq   bigint NOT NULL DEFAULT 0,
  viewport    json,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz
);

CREATE TABLE members (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  account_id   text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  role         text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  may_run      boolean NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, account_id)
);
CREATE UNIQUE INDEX members_owner ON members (workflow_id) WHERE role = 'owner';
CREATE INDEX members_account ON members (account_id, workflow_id);

CREATE TABLE login_links (
  token_hash   bytea PRIMARY KEY,
  account_id   text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  used_at      timestamptz
);

-- A record is `fields` (every key but these) with id, type, position and data beside it; an absent key is NULL.
CREATE TABLE workflow_nodes (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  id           text NOT NULL,
  parent_id    text,
  ord          double precision NOT NULL,
  node_type    text,
  node_data    json,
  position     json NOT NULL,
  fields       json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, id),
  CONSTRAINT no_base64_picture CHECK (
    node_data IS NULL OR node_data::text !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
);

CREATE TABLE workflow_edges (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  id           text NOT NULL,
  source       text NOT NULL,
  target       text NOT NULL,
  ord          double precision NOT NULL,
  record       json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, id),
  CONSTRAINT no_base64_picture CHECK (record::text !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
);

CREATE TABLE workflow_ops (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  seq          bigint NOT NULL,
  author_id    text NOT NULL,
  client_id    text,
  client_seq   bigint,
  origin       text NOT NULL CHECK (origin IN ('user', 'rest', 'job', 'restore')),
  ops          json NOT NULL,
  removed      json,
  at           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, seq),
  CONSTRAINT no_base64_picture CHECK (ops::text !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
);

-- What each numbered push was answered with: the same number asked again gets the same answer (D2).
CREATE TABLE workflow_pushes (
  workflow_id  text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  account_id   text NOT NULL,
  client_id    text NOT NULL,
  client_seq   bigint NOT NULL,
  digest       bytea NOT NULL,
  result       json NOT NULL,
  at           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_id, account_id, client_id, client_seq)
);
CREATE INDEX workflow_pushes_at ON workflow_pushes (at);
"""

RUNS = """
CREATE TABLE runs (
  id                text PRIMARY KEY,
  kind              text NOT NULL DEFAULT 'image_gen',
  subject_id        text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  node_id           text NOT NULL,
  account_id        text NOT NULL REFERENCES accounts,
  status            text NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
  processor         text NOT NULL,
  provider          text NOT NULL,
  model             text NOT NULL,
  request           json NOT NULL,
  payload           json NOT NULL DEFAULT '{}',
  progress          smallint,
  error             json,
  attempt           integer NOT NULL DEFAULT 0,
  cancel_requested  boolean NOT NULL DEFAULT false,
  event_seq         bigint NOT NULL DEFAULT 0,
  rings             integer NOT NULL DEFAULT 0,
  rung_at           timestamptz,
  run_after         timestamptz NOT NULL DEFAULT now(),
  fence             bigint NOT NULL DEFAULT 0,
  worker            text,
  lease_until       timestamptz,
  started_at        timestamptz NOT NULL DEFAULT now(),
  finished_at       timestamptz,
  CONSTRAINT no_base64_picture CHECK (
    (request::text || payload::text) !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
);
CREATE UNIQUE INDEX runs_one_live_per_node ON runs (subject_id, node_id) WHERE status IN ('pending', 'running');
CREATE INDEX runs_account ON runs (account_id, started_at DESC, id DESC);
CREATE INDEX runs_subject ON runs (subject_id, started_at DESC, id DESC);
CREATE INDEX runs_live ON runs (lease_until) WHERE status IN ('pending', 'running');

-- Both numbers are drawn under the workflow's row lock, so that commit order is number order and a reader's
-- "everything after n" can miss nothing.
CREATE TABLE run_events (
  run_id        text NOT NULL REFERENCES runs ON DELETE CASCADE,
  seq           bigint NOT NULL,
  workflow_id   text NOT NULL,
  workflow_seq  bigint NOT NULL,
  ts            timestamptz NOT NULL DEFAULT now(),
  kind          text NOT NULL CHECK (kind IN ('status', 'progress', 'log', 'error', 'webhook')),
  payload       json NOT NULL,
  PRIMARY KEY (run_id, seq),
  UNIQUE (workflow_id, workflow_seq)
);

CREATE TABLE outbox (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id      text NOT NULL REFERENCES runs ON DELETE CASCADE,
  doorbell    text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);
"""

PICTURES = """
CREATE TABLE objects (
  key           text PRIMARY KEY,
  account_id    text NOT NULL REFERENCES accounts,
  content_type  text NOT NULL,
  size_bytes    bigint NOT NULL,
  sha256        bytea NOT NULL,
  is_private    boolean NOT NULL DEFAULT false,
  created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE renders (
  id            text PRIMARY KEY,
  account_id    text NOT NULL REFERENCES accounts,
  run_id        text NOT NULL,  -- no reference: a picture outlives its run and its workflow
  picture       integer NOT NULL,
  workflow_id   text NOT NULL,
  node_id       text NOT NULL,
  object_key    text NOT NULL REFERENCES objects,
  width         integer NOT NULL,
  height        integer NOT NULL,
  content_type  text NOT NULL,
  prompt        text NOT NULL,
  seed          bigint,
  provider      text NOT NULL,
  model         text NOT NULL,
  parent_id     text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (run_id, picture)
);
CREATE INDEX renders_account ON renders (account_id, created_at DESC, id DESC);
CREATE INDEX renders_workflow ON renders (workflow_id, created_at DESC, id DESC);
CREATE INDEX renders_object ON renders (object_key);

CREATE TABLE render_variants (
  render_id     text NOT NULL REFERENCES renders ON DELETE CASCADE,
  kind          text NOT NULL CHECK (kind IN ('thumbnail', 'icon', 'display')),
  object_key    text NOT NULL REFERENCES objects,
  width         integer NOT NULL,
  height        integer NOT NULL,
  content_type  text NOT NULL,
  PRIMARY KEY (render_id, kind)
);
CREATE INDEX render_variants_object ON render_variants (object_key);

CREATE TABLE idempotency_keys (
  account_id  text NOT NULL REFERENCES accounts ON DELETE CASCADE,
  route       text NOT NULL,
  key         text NOT NULL,
  digest      bytea NOT NULL,
  status      integer,
  headers     json,
  body        bytea,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, route, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
"""


def upgrade() -> None:
    # asyncpg prepares every statement, and one at a time.
    for statements in (ACCOUNTS, WORKFLOWS, RUNS, PICTURES):
        for statement in statements.split(";\n"):
            if statement.strip():
                op.execute(statement)
