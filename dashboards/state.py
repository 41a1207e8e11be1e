"""What a page shows stands in its address and nowhere else, so that every view can be sent to somebody.

`parse_state` and `State.search` are each other's inverse. A parameter that is unknown or malformed is named in `problems`, and
the page says so; it is never silently dropped. Nothing personal belongs into an address: only what somebody typed or chose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import parse_qsl, quote, urlencode

from soc.incidents import TRANSITIONS
from soc.model import LEVELS, Level, iso, micros

SPANS = {"15m": 900, "1h": 3_600, "4h": 14_400, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
"""Relative time ranges, in seconds."""
DEFAULT_SPAN = "24h"
ALERT_STATUSES = ("new", "triage", "incident", "closed")
STATUSES = tuple(dict.fromkeys((*ALERT_STATUSES, *TRANSITIONS)))
_LONGEST = 8_000
_OBJECT = re.compile(r"[\w.:-]{1,80}")


@dataclass(frozen=True, slots=True)
class State:
    """One view. `span` is a key of SPANS or two RFC 3339 times joined by '~'."""

    span: str = DEFAULT_SPAN
    text: str = ""
    levels: tuple[Level, ...] = ()
    statuses: tuple[str, ...] = ()
    chosen: str = ""
    """Id of the object that the reading pane or drawer shows."""
    problems: tuple[str, ...] = field(default=(), compare=False)

    def search(self) -> str:
        """'?t=1h&q=…', or '' for the view that a page opens with."""
        given = {
            "t": self.span if self.span != DEFAULT_SPAN else "",
            "q": self.text,
            "sev": ",".join(self.levels),
            "st": ",".join(self.statuses),
            "sel": self.chosen,
        }
        text = urlencode({name: value for name, value in given.items() if value}, quote_via=quote, safe=",:~*", errors="replace")
        return "?" + text if text else ""

    def window(self, now: int) -> tuple[int, int]:
        """[since, until) in µs; a relative span ends now."""
        if self.span in SPANS:
            return now - SPANS[self.span] * 1_000_000, now
        since, _, until = self.span.partition("~")
        return micros(since), micros(until)

    def with_window(self, since: int, until: int) -> State:
        return _changed(self, span=f"{iso(since)}~{iso(until)}")

    def but(self, **changes: object) -> State:
        """The same view with some things changed."""
        return _changed(self, **changes)


def _changed(state: State, **changes: object) -> State:
    given = {one.name: getattr(state, one.name) for one in fields(state) if one.name != "problems"}
    return State(**(given | changes))


def parse_state(search: str | None) -> State:
    """The view that an address names."""
    found: dict[str, object] = {}
    problems: list[str] = []
    text = (search or "").removeprefix("?")
    if len(text) > _LONGEST:
        return State(problems=("address",))
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=40, errors="replace")
    except ValueError:
        return State(problems=("address",))
    for name, value in pairs:
        read = _READERS.get(name)
        got = read(value) if read else None
        if read is None or got is None:
            problems.append(name[:40])
        else:
            found[_FIELDS[name]] = got
    return State(**found, problems=tuple(problems))  # type: ignore[arg-type]


def _span(value: str) -> str | None:
    if value in SPANS:
        return value
    since, _, until = value.partition("~")
    try:
        first, last = micros(since), micros(until)
    except (ValueError, OverflowError):
        return None
    return f"{iso(first)}~{iso(last)}" if first < last else None


def _some(known: tuple[str, ...], value: str) -> tuple[str, ...] | None:
    parts = tuple(dict.fromkeys(part for part in value.split(",") if part))
    return tuple(one for one in known if one in parts) if set(parts) <= set(known) else None


_READERS: Mapping[str, Callable[[str], object]] = {
    "t": _span,
    "q": lambda value: value.strip()[:4_000],
    "sev": lambda value: _some(LEVELS, value),
    "st": lambda value: _some(STATUSES, value),
    "sel": lambda value: value if _OBJECT.fullmatch(value) else None,
}
_FIELDS = {"t": "span", "q": "text", "sev": "levels", "st": "statuses", "sel": "chosen"}
