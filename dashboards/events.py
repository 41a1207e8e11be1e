"""How a stored event is shown: its fields by importance, its line with what matched marked, the way from a value to a hunt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dash import dcc, html

from dashboards import formats
from dashboards.context import Context
from dashboards.parts import Piece, pairs
from dashboards.state import State
from soc.fields import type_of
from soc.model import Entity, Event
from soc.query import Or, Term, Value
from soc.query_text import to_text

ENTITY_FIELDS = {
    "user": ("user.name", "user.target.name"),
    "host": ("host.name",),
    "address": ("source.ip", "client.ip"),
    "system": ("business.module",),
    "record": ("business.record.id",),
}
FIRST = (
    "@timestamp",
    "host.name",
    "user.name",
    "source.ip",
    "event.action",
    "event.outcome",
    "process.name",
    "process.command_line",
    "url.original",
    "user_agent.original",
    "message",
)
_HIDDEN = frozenset({"event.original", "event.id"})
_LONGEST = 2_000


def shown(name: str, value: object) -> str:
    """A value as text: dates in Beijing time, lists joined."""
    if isinstance(value, list | tuple):
        return ", ".join(shown(name, one) for one in value)
    if type_of(name) == "date" and isinstance(value, int) and not isinstance(value, bool):
        return formats.stamp(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:_LONGEST]


def hunt_href(where: str, span: str = "24h") -> str:
    return "/hunt" + State(span=span, text=where).search()


def hunt_for(name: str, value: Value, span: str = "24h") -> str:
    return hunt_href(to_text(Term(name, value)), span)


def entity_link(ctx: Context, entity: Entity) -> Piece:
    """The entity's name; for who may hunt, the way to its events."""
    fields = ENTITY_FIELDS.get(entity.kind)
    if entity.kind == "account":
        name, _, host = entity.name.rpartition("@")
        text = f"{to_text(Term('user.name', name))} {to_text(Term('host.name', host))}"
    elif fields:
        terms = tuple(Term(field, entity.name) for field in fields)
        text = to_text(Or(terms) if len(terms) > 1 else terms[0])
    else:
        return html.Span(entity.name, className="s-mono")
    if not ctx.may("events:read"):
        return html.Span(entity.name, className="s-mono")
    return dcc.Link(entity.name, href=hunt_href(text, "7d"), className="s-mono s-u")


def entities(ctx: Context, found: Iterable[Entity]) -> html.Dl:
    by_kind: dict[str, list[Entity]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    return pairs((ctx.t(f"kind_{kind}"), _joined([entity_link(ctx, one) for one in mine[:40]])) for kind, mine in by_kind.items())


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    return [part for index, piece in enumerate(pieces) for part in ((", ", piece) if index else (piece,))]


def fields(event: Event, most: int = 200) -> html.Dl:
    """Every field, the telling ones first."""
    names = [name for name in FIRST if name in event] + sorted(set(event) - set(FIRST) - _HIDDEN)
    return pairs(
        (html.Span(name, className="s-mono"), html.Span(shown(name, event[name]), className="s-mono")) for name in names[:most]
    )


def raw_line(event: Event, marked: Sequence[str] = ()) -> html.Pre:
    """The line as it came, with the values of these entities marked. It is text, whatever it holds."""
    text = str(event.get("event.original") or event.get("message") or "")[:8_000]
    return html.Pre(_marked(text, [one for one in marked if len(one) > 2][:10]), className="s-code", tabIndex="0")


def _marked(text: str, words: Sequence[str]) -> list[Piece]:
    pieces: list[Piece] = [text]
    for word in words:
        cut: list[Piece] = []
        for piece in pieces:
            if not isinstance(piece, str):
                cut.append(piece)
                continue
            parts = piece.split(word)
            for index, part in enumerate(parts):
                cut += [html.Mark(word)] if index else []
                cut += [part] if part else []
        pieces = cut
    return pieces
