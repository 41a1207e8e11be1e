"""Each kind of new extension passes its own test and the linter at once; nothing is overwritten."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from soc.scaffold import KINDS, ROOT, main, write

_NAMES = {"parser": "acme_door", "collector": "acme_feed", "page": "acme_board", "rule": "acme/odd_login"}


def checkout(folder: Path) -> Path:
    """A copy of what the tests of extensions need."""
    skipped = shutil.ignore_patterns(".*", "__pycache__", "fonts", "icons", "e2e", "data")
    for name in ("soc", "collectors", "detections", "dashboards", "identity", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_extension_passes_its_test_and_the_linter(tmp_path: Path, kind: str) -> None:
    root = checkout(tmp_path)
    made = write(kind, _NAMES[kind], root)
    tests = [path for path in made if path.name.startswith("test_")] or [root / "tests/detections/rules/test_samples.py"]
    python = [path for path in made if path.suffix == ".py"]
    commands = [["pytest", "-q", "-p", "no:cacheprovider", *map(str, tests)]]
    commands += [["ruff", "check", "--no-cache", *map(str, python)]] if python else []
    for command in commands:
        line = [sys.executable, "-m", *command]
        done = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(FileExistsError):
        write(kind, _NAMES[kind], root)


@pytest.mark.parametrize(("arguments", "said"), [
    (["parser"], "make new kind="),
    (["parzer", "x1"], "there is no kind 'parzer'; known: parser"),
    (["parser", "../x"], "is no name for a parser"),
    (["parser", "Nginx"], "is no name for a parser"),
    (["rule", "a/b/c"], "is no name for a rule"),
    (["parser", "sshd"], "is there already"),
])  # fmt: skip
def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
