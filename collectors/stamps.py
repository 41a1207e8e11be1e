"""Times as logs write them, to µs since 1970 UTC. One calculation per distinct second; the fraction is added to it.

A text that is no time gives None: the caller then falls back to when the record was received. A zone of None is the zone of
this machine; it counts only where the text itself names none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_LIMIT = 50_000
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\d{0,16} ?(Z|UTC|GMT|[A-Z]{3,5}|[+-]\d\d(?::?\d\d)?)?"
).fullmatch
_CLF = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)").fullmatch
_DAY = timedelta(days=1)


class _Cache(dict[tuple[object, ...], int | None]):
    """Bounded by forgetting everything: whoever sends the lines chooses the seconds."""

    def put(self, key: tuple[object, ...], make: Callable[[], int]) -> int | None:
        if len(self) >= _LIMIT:
            self.clear()
        try:
            value: int | None = make()
        except (ValueError, OverflowError, KeyError, OSError):
            value = None
        self[key] = value
        return value


_iso_seconds = _Cache()
_bsd_seconds = _Cache()
_clf_seconds = _Cache()


def micros_of(moment: datetime) -> int:
    """Exact, unlike `timestamp()` times a million; a naive one is of this machine's zone."""
    aware = moment.astimezone(UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def iso(text: str, zone: tzinfo | None) -> int | None:
    """'2026-11-24T01:20:14.123456+08:00' and its relatives: blank for T, comma for point, no fraction, no zone, 'UTC'."""
    if found := _ISO(text):
        base, fraction, suffix = found.groups()
        return second(base, suffix, fraction, zone)
    return None


def second(base: str, suffix: str | None, fraction: str | None, zone: tzinfo | None) -> int | None:
    """The same from its parts: '2026-11-24T01:20:14', '+08:00', '123456'."""
    key = (base, suffix, zone)
    whole = _iso_seconds.get(key)
    if whole is None:
        if key in _iso_seconds:
            return None
        whole = _iso_seconds.put(key, lambda: _iso(base, suffix, zone))
        if whole is None:
            return None
    return whole + int(fraction[:6].ljust(6, "0")) if fraction else whole


def _iso(base: str, suffix: str | None, zone: tzinfo | None) -> int:
    moment = datetime.fromisoformat(base)
    if suffix in ("Z", "UTC", "GMT"):
        return micros_of(moment.replace(tzinfo=UTC))
    if suffix and suffix[0] in "+-":
        digits = suffix[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return micros_of(moment.replace(tzinfo=timezone(offset if suffix[0] == "+" else -offset)))
    return micros_of(moment.replace(tzinfo=zone))  # an abbreviation such as CST names several zones: the source's own counts


def bsd(text: str, zone: tzinfo | None, received: int) -> int | None:
    """'Nov 24 01:20:14', which has neither year nor zone: the year in which it lies nearest before `received`.

    A clock may run ahead by up to a day, so a line of 1 January received on 31 December is of the coming year.
    """
    day = received // 86_400_000_000
    key = (text, zone, day)
    found = _bsd_seconds.get(key)
    if found is None and key not in _bsd_seconds:
        found = _bsd_seconds.put(key, lambda: _bsd(text, zone, received))
    return found


def _bsd(text: str, zone: tzinfo | None, received: int) -> int:
    latest = datetime.fromtimestamp(received / 1e6, UTC).astimezone(zone) + _DAY
    month, day = _MONTHS[text[:3]], int(text[4:6])
    hour, minute, second_ = int(text[7:9]), int(text[10:12]), int(text[13:15])
    for year in range(latest.year, latest.year - 9, -1):  # nine years reach a 29 February across a century's gap
        try:
            moment = datetime(year, month, day, hour, minute, second_, tzinfo=zone)
        except ValueError:
            if (month, day) == (2, 29):
                continue
            raise
        if moment.astimezone(UTC) <= latest.astimezone(UTC):
            return micros_of(moment)
    raise ValueError(text)


def with_year(year: str, text: str, zone: tzinfo | None) -> int | None:
    """'2026' and 'Nov 24 01:20:14', as Cisco and Huawei devices write it."""
    month = _MONTHS.get(text[:3])
    if month is None:
        return None
    return iso(f"{year}-{month:02d}-{text[4:6].replace(' ', '0')}T{text[7:15]}", zone)


def clf(text: str) -> int | None:
    """'24/Nov/2026:01:20:14 +0800', the common log format's."""
    key = (text,)
    found = _clf_seconds.get(key)
    if found is None and key not in _clf_seconds:
        found = _clf_seconds.put(key, lambda: _clf(text))
    return found


def _clf(text: str) -> int:
    if not (found := _CLF(text)):
        raise ValueError(text)
    day, month, year, hour, minute, second_, east, rest = found.groups()
    offset = timedelta(hours=int(east), minutes=int(rest) * (-1 if east[0] == "-" else 1))
    return micros_of(datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second_), tzinfo=timezone(offset)))
