from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytest.register_assert_rewrite("tests.jobs.providers.contract", "tests.jobs.providers.stage")
