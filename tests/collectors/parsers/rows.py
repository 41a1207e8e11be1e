"""How parsers are tested: a line of a program through the whole decoder, and what its event must say."""

from __future__ import annotations

from typing import Any

import orjson

from collectors.decode import BatchDecoder
from soc.fields import TEXT, WHOLE, catalogue, type_of
from soc.model import Event, LoggedBatch, RawBatch, micros

RECEIVED = micros("2026-11-24T12:00:00Z")
_DECODER = BatchDecoder()


def read(*records: str | dict[str, Any], format_: str = "syslog", source: str = "test") -> list[Event]:
    """The events of records of one batch; what is quarantined is missing."""
    raw = [orjson.dumps(one) if isinstance(one, dict) else one.encode("utf-8", "surrogateescape") for one in records]
    return _DECODER.decode(LoggedBatch(1, RawBatch(source, raw, RECEIVED, format_))).events


def said(program: str, body: str) -> Event:
    """The event of what a program wrote through syslog."""
    (event,) = read(f"<38>Nov 24 11:59:58 host-1 {program}: {body}")
    return event


def check(event: Event, parser: str, wanted: dict[str, object]) -> None:
    """It has these fields, of this parser, each of the type that the catalogue gives it. None says that a field is absent."""
    assert event.get("soc.parser") == parser
    assert not event.get("soc.unparsed"), event
    assert {name: event.get(name) for name in wanted} == wanted
    well_typed(event)


def well_typed(event: Event) -> None:
    for name, value in event.items():
        kind = type_of(name)
        for one in value if isinstance(value, list) else (value,):
            if kind in TEXT:
                assert isinstance(one, str), (name, one)
            elif kind in WHOLE or kind == "date":
                assert isinstance(one, int) and not isinstance(one, bool), (name, one)
        assert not isinstance(value, list) or catalogue().get(name, ("", True))[1] or kind in TEXT, (name, value)


def is_not_read(event: Event, parser: str) -> None:
    """The parser did not take it: still an event, marked as unparsed or somebody else's."""
    assert event.get("soc.unparsed") is True or event.get("soc.parser") != parser, event
