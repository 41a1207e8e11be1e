"""The judge: obviously right and slow. One event, one rule, one recursive walk; each predicate a plain comparison or one regex.

Shares nothing with the engine but the tree that pySigma's reading gives. It works on events as they arrived, by Sigma's own field
names, so that routing, renaming, planning and scanning are all judged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from detections.mapping.windows import CHANNELS, OTHERS, SYSMON
from detections.sigma.ir import MANY, And, Node, Not, Or, Predicate

Flat = Mapping[str, Any]
TAGS = ("logsource_category", "logsource_product", "logsource_service")


def applies(source: Sequence[str | None], event: Flat) -> bool:
    """Whether a rule's log source means this event."""
    category, product, service = source
    if product == "windows" or (product is None and category in SYSMON):
        channel, code = event.get("Channel"), str(event.get("EventID"))
        if channel is None:
            return False
        if category in SYSMON:
            return channel in CHANNELS["sysmon"] and code in SYSMON[category]
        if category in OTHERS:
            in_service, wanted = OTHERS[category]
            return channel in CHANNELS[in_service] and code == wanted
        if service is None:
            return category is None
        return channel in CHANNELS.get(service, ())
    if "Channel" in event:
        return False
    return all(part is None or part == event.get(tag) for part, tag in zip(source, TAGS, strict=True))


def holds(node: Node, event: Flat, texts: Callable[[Flat], list[Any]] = lambda event: list(event.values())) -> bool:
    """Whether the event satisfies the condition; `texts` is what a keyword looks at."""
    if isinstance(node, And):
        return all(holds(part, event, texts) for part in node.parts)
    if isinstance(node, Or):
        return any(holds(part, event, texts) for part in node.parts)
    if isinstance(node, Not):
        return not holds(node.part, event, texts)
    return any(_one(node, view, texts) for view in _views(node, event))


def _views(one: Predicate, event: Flat) -> list[Flat]:
    """A list stands for its elements."""
    views = [event]
    names = [one.field] + ([one.value[0]] if one.kind == "fieldref" else [])  # type: ignore[index]
    for name in names:
        if name is not None and isinstance(event.get(name), list):
            views = [{**view, name: element} for view in views for element in (event[name] or [None])]
    return views


def _one(one: Predicate, event: Flat, texts: Callable[[Flat], list[Any]]) -> bool:
    value: Any = one.value
    if one.field is None:
        found = [_text(text) for text in texts(event) if text is not None]
        if one.kind == "re":
            return any(_regex(*value).search(text) for text in found)
        return any(_wild(value, one.kind == "is").search(text) for text in found)
    own = event.get(one.field)
    if one.kind == "null":
        return own is None
    if own is None:
        return False
    if one.kind == "exists":
        return True
    if one.kind == "re":
        return bool(_regex(*value).search(_text(own)))
    if one.kind in ("is", "cased"):
        return bool(_wild(value, one.kind == "is").fullmatch(_text(own)))
    if one.kind == "cidr":
        return _in_network(value, _text(own))
    if one.kind == "compare":
        return _compares(own, *value)
    assert one.kind == "fieldref"
    other, at_start, at_end = value
    return event.get(other) is not None and _alike(_text(own), _text(event[other]), at_start, at_end)


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else str(value)


@lru_cache(100_000)
def _wild(pattern: tuple[str | int, ...], ignores_case: bool) -> re.Pattern[str]:
    regex = "".join(re.escape(part) if isinstance(part, str) else ".*" if part == MANY else "." for part in pattern)
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignores_case else 0))


@lru_cache(10_000)
def _regex(regex: str, flags: str) -> re.Pattern[str]:
    return re.compile(regex, sum({"i": re.I, "m": re.M, "s": re.S}[flag] for flag in flags))


def _in_network(network: str, text: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _compares(own: Any, operator: str, number: float) -> bool:
    if isinstance(own, bool):
        return False
    try:
        left = float(own)
    except (TypeError, ValueError):
        return False
    if operator == "neq":
        return left != number
    return {"lt": left < number, "lte": left <= number, "gt": left > number, "gte": left >= number}[operator]


def _alike(own: str, other: str, at_start: bool, at_end: bool) -> bool:
    start = "" if at_end else r"\A"
    end = "" if at_start else r"\Z"
    return bool(re.search(start + re.escape(other) + end, own, re.IGNORECASE))
