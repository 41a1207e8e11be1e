import pytest

pytest.register_assert_rewrite("tests.collectors.parsers.rows")
