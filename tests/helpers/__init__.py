"""What several test files use, beside the fixtures of each folder's conftest.py."""

from pkgutil import iter_modules

import pytest

# pytest explains a failed assertion in these files as it does in a test file
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
