"""What operators see of rooms (CONTRACT §9): counted where it happens, shown by `app.observe.metrics`.

Names and labels are outward: dashboards and alerts in `docs/ops` query them. Labels are taken from short fixed lists.
"""

from prometheus_client import Counter, Histogram

TRANSACTIONS = Counter("easel_transactions", "Pushes that were answered: commit, rebase or reject.", ["outcome"])
for _outcome in ("commit", "rebase", "reject"):
    TRANSACTIONS.labels(_outcome)  # shown at 0: to Prometheus, a series that is born at 1 has not increased
COMMIT_SECONDS = Histogram(
    "easel_commit_seconds",
    "How long it took to store what had gathered in a room, in one commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
COMMITS_FAILED = Counter("easel_commits_failed", "Commits that PostgreSQL did not take; most are tried again.")
FRAMES = Counter("easel_frames", "Frames of presence and runs that were sent, one for each receiver.")
SLOW_CLIENT_CLOSES = Counter("easel_slow_client_closes", "Sockets closed because they read too slowly (4008).")
BASE64_REFUSALS = Counter("easel_base64_refusals", "Pictures sent as base64 where a URL belongs, and refused.")
