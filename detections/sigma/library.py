"""Rule files into rules: what can be used, and why the rest cannot. One broken file never stops another."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from detections.mapping import Tagged, our_names, where_of, with_our_names
from detections.sigma import correlation
from detections.sigma.correlation import Base, SigmaCorrelation
from detections.sigma.frontend import Unusable, condition_of
from detections.sigma.ir import Node, decided, fields
from detections.sigma.planner import Planned
from soc.errors import RuleError
from soc.fields.sources import LogSource
from soc.model import LEVELS, Rule

_LARGEST = 512 << 10
_MOST_NODES = 50_000
_DEEPEST = 30
_Provided = Mapping[str, frozenset[str] | None]


@dataclass(slots=True)
class Library:
    """What was read. `rules[n]` is what alerts say of `planned[n]`."""

    rules: list[Rule] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    """Rule id, or file where it has none -> why it cannot match."""
    ids: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    """Sigma's `name` -> rule id, for correlations."""
    correlations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(file, document), each with its id."""
    sources: dict[str, LogSource] = field(default_factory=dict)
    """Rule id -> its log source."""


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Every *.yml and *.yaml there, in a fixed order, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(one for end in ("*.yml", "*.yaml") for one in path.rglob(end) if one.is_file())))
        else:
            found[path] = None
    return list(found)


def read(paths: Sequence[Path], provided: _Provided, declared: Mapping[str, LogSource]) -> Library:
    """Read all rule files. `provided`: data set -> fields its events may have (None: the sender decides)."""
    logging.getLogger("sigma").setLevel(logging.ERROR)
    library = Library()
    for path in paths:
        try:
            for number, document in enumerate(_documents(path)):
                _take(library, path, number, document, provided, declared)
        except (Unusable, yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
            library.unusable[str(path)] = _said(error)
    return library


def _said(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"not YAML: line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return "nested too deeply to be read" if isinstance(error, RecursionError) else " ".join(str(error).split())[:500]


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    if path.stat().st_size > _LARGEST:
        raise Unusable(f"larger than {_LARGEST >> 10} KB")
    for document in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise Unusable("a rule is a mapping of keys; this document is not")
        _bounded(document, [_MOST_NODES], _DEEPEST)
        yield document


def _bounded(value: object, budget: list[int], depth: int) -> None:
    """Aliases may make a small file a huge tree: it is walked once before anybody else does."""
    budget[0] -= 1
    if budget[0] < 0 or depth < 0:
        raise Unusable(f"more than {_MOST_NODES} values, or nested more than {_DEEPEST} deep")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _bounded(one, budget, depth - 1)


def _take(
    library: Library, path: Path, number: int, document: dict[str, Any], provided: _Provided, declared: Mapping[str, LogSource]
) -> None:
    id_ = str(document.get("id") or document.get("name") or (f"{path.stem}#{number}" if number else path.stem))
    if "correlation" in document:
        library.correlations.append((str(path), document | {"id": id_}))
        return
    try:
        if "detection" not in document:
            raise Unusable("a Sigma filter; none is applied" if "filter" in document else "neither detection nor correlation")
        if id_ in library.ids:
            raise Unusable(f"the id {id_} is used twice")
        source, node = condition_of(SigmaRule.from_dict(cast(Any, _matching(document))))
        where = where_of(source)
        if where is None:
            raise Unusable(f"nobody has defined Sigma's log source {_spelt(source)}")
        ours = with_our_names(source, node)
    except (Unusable, SigmaError, ValueError, TypeError, AttributeError, KeyError) as error:
        library.unusable[f"{path}: {id_}" if id_ in library.unusable else id_] = f"{path}: {_said(error)}"
        return
    library.ids.add(id_)
    library.sources[id_] = source
    library.rules.append(rule_of(document, id_, str(path)))
    library.planned.append(Planned(where, ours))
    if isinstance(name := document.get("name"), str):
        library.names[name] = id_
    if isinstance(where, Tagged) and (reason := _cannot_match(source, where, ours, provided, declared)):
        library.unusable[id_] = f"{path}: {reason}"


def _matching(document: dict[str, Any]) -> dict[str, Any]:
    """Only what decides whether it matches: a wrong date, tag or reference must not cost the detection."""
    kept: dict[str, Any] = {key: document[key] for key in ("title", "logsource", "detection") if key in document}
    kept.setdefault("title", "")
    return kept


def correlations(library: Library) -> dict[str, SigmaCorrelation]:
    """The correlation rules by id, those left out that only count for others. What is wrong with one goes into `unusable`."""
    documents: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, document in library.correlations:
        documents[str(document["id"])] = (path, document)
        if isinstance(name := document.get("name"), str):
            library.names[name] = str(document["id"])
    built: dict[str, SigmaCorrelation] = {}
    counted: set[str] = set()

    def base(name: str) -> Base | SigmaCorrelation | None:
        id_ = library.names.get(name, name)
        if id_ in documents:
            return build(id_)
        source = library.sources.get(id_)
        return None if source is None else Base(id_, our_names(source).__getitem__)

    def build(id_: str) -> SigmaCorrelation:
        if id_ not in built:
            path, document = documents[id_]
            if id_ in opened:
                raise RuleError(f"{path}: correlation of {id_}: rules: it counts itself")
            opened.add(id_)
            found = correlation.build(document, rule_of(document, id_, path), base)
            opened.discard(id_)
            built[id_] = found
            if document["correlation"].get("generate") is not True:
                counted.update(part.rule.id for part in found.parts if isinstance(part, SigmaCorrelation))
        return built[id_]

    opened: set[str] = set()
    for id_ in documents:
        try:
            build(id_)
        except RuleError as error:
            library.unusable[id_] = str(error)
            opened.clear()
    return {id_: one for id_, one in built.items() if id_ not in counted}


def rule_of(document: Mapping[str, Any], id_: str, path: str) -> Rule:
    """What an alert says of a rule or a correlation."""
    level = str(document.get("level", "medium")).lower()
    tags = document.get("tags") or ()
    return Rule(
        id=id_,
        title=str(document.get("title") or id_)[:256],
        level=next((one for one in LEVELS if one == level), "medium"),
        tags=tuple(str(tag) for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        author=str(document.get("author") or "")[:256],
        path=path,
        description=str(document.get("description") or "")[:4000],
    )


def _spelt(source: LogSource) -> str:
    return "/".join(part or "*" for part in source)


def _cannot_match(
    source: LogSource, where: Tagged, node: Node, provided: _Provided, declared: Mapping[str, LogSource]
) -> str | None:
    """Why no event of a connected source can satisfy the rule; None if one can."""
    near = [dataset for dataset, own in declared.items() if where.holds(own)]
    if not near:
        return f"no parser provides the log source {_spelt(source)}"
    lacking: set[str] = set()
    for dataset in near:
        known = provided.get(dataset)
        if known is None or decided(node, lambda one, known=known: _if_absent(one, known)) is not False:  # type: ignore[misc]
            return None
        lacking |= fields(node) - known
    return f"no event of {', '.join(sorted(near))} has {', '.join(sorted(lacking))}"


def _if_absent(one: Any, known: frozenset[str]) -> bool | None:
    """What a statement about a field that never is there comes to."""
    if one.field is None or one.field in known:
        return None
    return bool(one.kind == "null")
