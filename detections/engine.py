"""Sigma rules in, a `Detector` out: parse, plan, keep the plan, match.

The plan is kept in one file of the cache. It is made again when a rule file, a parser's fields, this engine, Python or the
scanner changes; making it takes about 4 ms a rule, opening it a few milliseconds in all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from detections.sigma import library, plan
from detections.sigma.matcher import Matcher
from detections.sigma.plan import Plan, Stale
from detections.sigma.planner import Planned
from soc.contracts import Correlation, Match
from soc.fields.sources import LogSource
from soc.model import Event, Rule

_FEW = 300
_Provided = Mapping[str, frozenset[str] | None]


class SigmaDetector:
    """Rules in force. `match` looks at a batch at once and never raises for what an event holds."""

    def __init__(self, opened: Plan, declared: Mapping[str, LogSource]) -> None:
        self._matcher = Matcher(opened, declared)
        rules, unusable, correlations = cast(tuple[list[Rule], dict[str, str], dict[str, Correlation]], opened.carried)
        self._list = rules
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in rules} | {one: own.rule for one, own in correlations.items()}
        """Rules that are loaded, by id; those that no connected source can satisfy stand in `unusable` too."""
        self.unusable: Mapping[str, str] = unusable
        """Rule id, or file where it has none -> why it cannot match."""
        self.correlations: Mapping[str, Correlation] = correlations

    @property
    def late_routes(self) -> int:
        """Routes planned while events waited: none, or the plan missed a kind of event."""
        return self._matcher.plan.late

    @property
    def planned(self) -> Sequence[Planned]:
        """Every rule's place and condition, by our field names."""
        return self._matcher.plan.rules

    def match(self, events: Sequence[Event]) -> list[Match]:
        rules = self._list
        found = [Match(event, rules[rule]) for event, satisfied in self._matcher.run(events) for rule in satisfied]
        found.sort(key=lambda one: one.event)
        return found


def load(
    paths: Iterable[Path],
    cache: Path,
    provided: _Provided,
    declared: Mapping[str, LogSource],
) -> SigmaDetector:
    """The rules of these files and folders, compiled.

    `provided` is data set -> fields its events may have, None where the sender decides; `declared` is data set -> Sigma's log
    source; both come from the parsers. Broken rules are in `unusable` and cost nobody else. Raises OSError for the cache.
    """
    files = library.files_of(paths)
    digest = plan.digest_of(_stamps(files), repr((sorted(provided.items(), key=str), sorted(declared.items()))).encode())
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = cache / f"rules-{hashlib.blake2b(repr(sorted(map(str, files))).encode(), digest_size=6).hexdigest()}.plan"
    with contextlib.suppress(Stale, FileNotFoundError):
        return SigmaDetector(Plan(path, digest), declared)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers that start at once, one plans
        try:
            return SigmaDetector(Plan(path, digest), declared)
        except (Stale, FileNotFoundError):
            _build(path, digest, files, provided, declared)
    return SigmaDetector(Plan(path, digest), declared)


def _build(path: Path, digest: bytes, files: Sequence[Path], provided: _Provided, declared: Mapping[str, LogSource]) -> None:
    """Many rules are planned by a process of its own, whose 100 MB end with it."""
    if len(files) <= _FEW:
        build(path, digest, files, provided, declared)
        return
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(build, path, digest, files, provided, declared).result()


def build(path: Path, digest: bytes, files: Sequence[Path], provided: _Provided, declared: Mapping[str, LogSource]) -> None:
    """Read rule files and put their plan in place."""
    read = library.read(files, provided, declared)
    correlations = library.correlations(read)
    plan.write(path, digest, read.planned, declared, (read.rules, read.unusable, correlations))


def _stamps(files: Iterable[Path]) -> bytes:
    """Names, sizes and times: enough to notice a change, cheap enough for every start."""
    stamps = []
    for path in files:
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}")
    return os.fsencode("\n".join(stamps))

