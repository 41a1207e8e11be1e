"""A broken extension is recorded with its place, and the others are found."""

import sys
from pathlib import Path

import pytest

from soc.registry import Broken, scan


def test_a_broken_module_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shelf_of_a_test"
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "good": "x = 1",
        "bad": "1 / 0",
        "worse": "import nothing_of_that_name",
        "_own": "1/0",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = scan("shelf_of_a_test")
    assert list(found.modules) == ["good"]
    assert found.broken == [
        Broken("shelf_of_a_test.bad", "ZeroDivisionError: division by zero"),
        Broken("shelf_of_a_test.worse", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    ]
    del sys.modules["shelf_of_a_test"]
