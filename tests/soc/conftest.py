"""A case database of its own for every test."""

from pathlib import Path

import pytest

from soc.cases import Cases


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    return Cases.at(tmp_path / "cases")
