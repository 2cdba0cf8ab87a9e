import pytest

for name in ("site", "installation", "people", "ledger", "cluster", "studio"):
    pytest.register_assert_rewrite(f"tests.chaos.{name}")
