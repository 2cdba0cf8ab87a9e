"""My Renders: favourites, a trash, and prompts that are found by any piece of three characters.

`prompt_grams` does what pg_trgm would, which the embedded PostgreSQL does not carry, for any script.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    "ALTER TABLE renders ADD COLUMN is_favorite boolean NOT NULL DEFAULT false, ADD COLUMN deleted_at timestamptz",
    # Pieces do not cross spaces. A prompt is found by its first 4000 characters: more would cost each insert too much.
    """
    CREATE FUNCTION prompt_grams(prompt text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
      SELECT coalesce(array_agg(DISTINCT substr(word, place, 3)), '{}')
      FROM regexp_split_to_table(lower(left(prompt, 4000)), '\\s+') AS word,
        generate_series(1, length(word) - 2) AS place
    $$""",
    "CREATE INDEX renders_prompt ON renders USING gin (prompt_grams(prompt))",
    """
    CREATE INDEX renders_favorite ON renders (account_id, created_at DESC, id DESC)
      WHERE is_favorite AND deleted_at IS NULL""",
    "CREATE INDEX renders_provider ON renders (account_id, provider, created_at DESC, id DESC)",
    "CREATE INDEX renders_parent ON renders (parent_id, created_at DESC, id DESC) WHERE parent_id IS NOT NULL",
    "CREATE INDEX renders_trash ON renders (account_id, created_at DESC, id DESC) WHERE deleted_at IS NOT NULL",
    "CREATE INDEX renders_deleted ON renders (deleted_at) WHERE deleted_at IS NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
