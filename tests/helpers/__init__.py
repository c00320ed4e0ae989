"""What several test files use, beside the fixtures of each folder's conftest.py."""

import pytest

pytest.register_assert_rewrite(__name__)
