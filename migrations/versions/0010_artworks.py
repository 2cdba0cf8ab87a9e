"""Artworks: pictures that people bring along, how they come in, and what signs the links to stored pictures."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    "ALTER TABLE accounts ADD COLUMN artwork_count integer NOT NULL DEFAULT 0 CHECK (artwork_count >= 0)",
    "ALTER TABLE accounts ADD COLUMN artwork_limit integer CHECK (artwork_limit >= 0)",  # null: EASEL_ARTWORK_LIMIT
    # Where somebody may put a picture, until it has become an artwork. `claim` names who is at it.
    """
    CREATE TABLE uploads (
      key         text PRIMARY KEY,
      account_id  text NOT NULL REFERENCES accounts ON DELETE CASCADE,
      created_at  timestamptz NOT NULL DEFAULT now(),
      expires_at  timestamptz NOT NULL,
      claim       text,
      claimed_at  timestamptz,
      artwork_id  text  -- no reference: a key stays used when its artwork is gone
    )""",
    "CREATE INDEX uploads_account ON uploads (account_id) WHERE artwork_id IS NULL",
    "CREATE INDEX uploads_expires ON uploads (expires_at)",
    """
    CREATE TABLE artworks (
      id            text PRIMARY KEY,
      account_id    text NOT NULL REFERENCES accounts,
      slug          text NOT NULL,
      title         text NOT NULL,
      description   text,
      materials     text,
      dimensions    text,
      created_date  text,
      category      text NOT NULL,
      tags          text[] NOT NULL,
      is_featured   boolean NOT NULL DEFAULT false,
      workflow_id   text,  -- no reference: an artwork outlives the canvas it was put on
      node_id       text,
      created_at    timestamptz NOT NULL DEFAULT now(),
      updated_at    timestamptz NOT NULL DEFAULT now(),
      deleted_at    timestamptz,
      CONSTRAINT no_base64_picture CHECK (
        concat_ws(' ', title, description, materials, dimensions, created_date)
          !~ 'data:image/[^"]{0,80};base64,[A-Za-z0-9+/=]{100}')
    )""",
    "CREATE UNIQUE INDEX artworks_slug ON artworks (account_id, slug) WHERE deleted_at IS NULL",
    "CREATE INDEX artworks_account ON artworks (account_id, created_at DESC, id DESC)",
    "CREATE INDEX artworks_trash ON artworks (deleted_at) WHERE deleted_at IS NOT NULL",
    """
    CREATE TABLE artwork_pictures (
      artwork_id    text NOT NULL REFERENCES artworks ON DELETE CASCADE,
      kind          text NOT NULL CHECK (kind IN ('original', 'display', 'thumbnail', 'icon')),
      object_key    text NOT NULL REFERENCES objects,
      width         integer NOT NULL,
      height        integer NOT NULL,
      content_type  text NOT NULL,
      PRIMARY KEY (artwork_id, kind)
    )""",
    "CREATE UNIQUE INDEX artwork_pictures_object ON artwork_pictures (object_key)",
    # In the order in which object stores list their keys: by bytes.
    'CREATE INDEX objects_listed ON objects (key COLLATE "C")',
    # Shared by all servers, so that each takes what another one signed. gen_random_uuid draws from a strong source.
    """
    CREATE TABLE link_secrets (
      is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
      secret   bytea NOT NULL DEFAULT decode(replace(concat(gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')
    )""",
    "INSERT INTO link_secrets DEFAULT VALUES",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
