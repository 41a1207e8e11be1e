"""From Sigma's log sources and field names to ours, once, when rules are loaded; events are never renamed for rules.

Field names come from `soc.fields.sources`, the table that parsers use too. What a log source means is said here: a Windows one
by channel and event code, any other by the log source that a data set declares (`logsources` of its parser).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from detections.mapping.windows import CHANNELS, OTHERS, SYSMON
from detections.sigma.ir import Node, Predicate, mapped
from soc.fields.sources import LogSource, logsource_of, names_of

CHANNEL, CODE = "winlog.channel", "event.code"
"""What Windows events are told apart by."""


class Windows(NamedTuple):
    """Events of these channels with these event codes; None is any."""

    channels: tuple[str, ...] | None
    codes: tuple[str, ...] | None


class Tagged(NamedTuple):
    """Events of data sets whose log source agrees in every part that is named."""

    category: str | None
    product: str | None
    service: str | None

    def holds(self, source: LogSource) -> bool:
        return all(own is None or own == other for own, other in zip(self, source, strict=True))


Where: TypeAlias = Windows | Tagged


def where_of(source: LogSource) -> Where | None:
    """Which events a rule's log source means; None for a Windows one that nobody has defined."""
    category, product, service = source
    if product != "windows" and not (product is None and category in SYSMON):
        return Tagged(*source)
    if category in SYSMON:
        return Windows(CHANNELS["sysmon"], SYSMON[category])
    if category in OTHERS:
        in_service, code = OTHERS[category]
        return Windows(CHANNELS[in_service], (code,))
    if service in CHANNELS:
        return Windows(CHANNELS[service], None)
    return None if service or category else Windows(None, None)


def our_names(source: LogSource) -> Mapping[str, str]:
    """Field names of a rule's log source -> ours."""
    return names_of((None, "windows", None) if isinstance(where_of(source), Windows) else source)


def with_our_names(source: LogSource, node: Node) -> Node:
    """The condition with each field by our name, those that it compares with included."""
    names = our_names(source)

    def change(one: Predicate) -> Predicate:
        value = one.value
        if one.kind == "fieldref":
            assert isinstance(value, tuple)
            value = (names[value[0]], *value[1:])
        return Predicate(None if one.field is None else names[one.field], one.kind, value)

    return mapped(node, change)


def source_of(dataset: str, declared: Mapping[str, LogSource]) -> LogSource:
    """The log source of a data set: what its parser declares, what a tagged one says, else '<product>.<service>' by its name."""
    found = declared.get(dataset) or logsource_of(dataset)
    if found is None:
        product, _, service = dataset.partition(".")
        found = None, product or None, service or None
    return found
