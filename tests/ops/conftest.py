import pytest

pytest.register_assert_rewrite("tests.chaos.site", "tests.chaos.people")
