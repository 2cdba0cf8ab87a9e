"""The newest runs of everybody, and of one status: where a list looks first."""

from migrations.online import build_index

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    build_index("CREATE INDEX CONCURRENTLY runs_newest ON runs (started_at DESC, id DESC)")
    build_index("CREATE INDEX CONCURRENTLY runs_of_status ON runs (status, started_at DESC, id DESC)")
