"""From a logged batch to events: opens envelopes, asks the parser of each program, merges, quarantines. Never raises.

What a record becomes is decided by its batch's format (how it is opened), then by program or, for JSON, by the keys it has.
A record whose envelope is understood but whose content is not stays an event (`soc.unparsed`, whole in `event.original`);
only what not even the envelope fits is quarantined. A parser that raises costs its line the fields, and is counted.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from types import ModuleType
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import orjson

from collectors import envelope
from collectors.formats import NAMES, recognise
from soc.contracts import Fields, RawLine
from soc.errors import ConfigError
from soc.model import Decoded, Event, LoggedBatch, Quarantined
from soc.registry import Broken, scan

LogSource: TypeAlias = tuple[str | None, str | None, str | None]
"""Sigma's (category, product, service)."""

OTHER = "syslog.other"
"""Dataset of events whose program no parser knows."""
ENVELOPE = frozenset(
    {
        "@timestamp", "message", "event.ingested", "event.id", "event.dataset", "event.created", "event.original", "host.name",
        "process.name", "process.pid", "log.syslog.facility.code", "log.syslog.severity.code", "log.syslog.msgid",
        "soc.source", "soc.parser", "soc.peer", "soc.unparsed", "soc.encoding", "soc.clock", "soc.merged",
    }
)  # fmt: skip
"""What the envelope may set on any event."""

_DAY = 86_400_000_000
_EARLIEST = 315_532_800_000_000
"""1980: a clock that says less has lost its battery."""
_LONGEST = 4 * 1024 * 1024
_MANY = 4_096
_ENDS = "\r\n\0"
_HEADLESS = ("access", "error", "audit", "csvlog")


@dataclass(slots=True)
class Loaded:
    """One parser module as the dispatcher needs it."""

    name: str
    dataset: str
    programs: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    marks: tuple[tuple[str, ...], ...] = ()
    fields: frozenset[str] | None = None
    logsources: Mapping[str, LogSource] = field(default_factory=dict)
    parse: Callable[[RawLine], Fields | None] | None = None
    parse_json: Callable[[dict[str, Any], RawLine], Fields | None] | None = None
    key: Callable[[RawLine], str | None] | None = None
    combine: Callable[[list[str]], Fields | None] | None = None
    prefix: str = ""


def _loaded(name: str, module: ModuleType) -> Loaded:
    known = module.fields
    return Loaded(
        name,
        module.dataset,
        module.programs,
        getattr(module, "formats", ()),
        getattr(module, "marks", ()),
        None if known is None else frozenset(known),
        getattr(module, "logsources", {}),
        getattr(module, "parse", None),
        getattr(module, "parse_json", None),
        getattr(module, "key", None),
        getattr(module, "combine", None),
        getattr(module, "prefix", ""),
    )


def _zone(name: str) -> tzinfo | None:
    """None for 'local', this machine's zone. Raises ConfigError."""
    if name == "local":
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigError(f"zone {name!r} is not known; give 'local' or a name such as Asia/Shanghai") from None


class BatchDecoder:
    """Fulfils `soc.contracts.Decoder` with the parsers of `collectors/parsers`, or with the one named by `only`.

    `zone` is where times without a zone were written, 'local' for this machine's; `zones` says otherwise for sources by pattern:
    {"syslog": "Asia/Shanghai", "file:/archive/*": "UTC"}.
    """

    def __init__(self, only: str | None = None, zone: str = "local", zones: Mapping[str, str] | None = None) -> None:
        found = scan("collectors.parsers")
        self.broken: list[Broken] = found.broken
        self.parsers: dict[str, Loaded] = {}
        for name, module in found.modules.items():
            try:
                self.parsers[name] = _loaded(name, module)
            except AttributeError as error:
                self.broken.append(Broken(module.__name__, f"AttributeError: {error}"))
        self.errors: dict[str, int] = {}
        """'<parser>: <what it raised>' -> how often, since the start."""
        self._only = only
        if only is not None and only not in self.parsers:
            raise ConfigError(f"there is no parser {only!r}; known: {', '.join(sorted(self.parsers))}")
        asked = [self.parsers[only]] if only else list(self.parsers.values())
        self._dispatch = _Dispatch(asked)
        self._default = envelope.Opener(_zone(zone))
        self._zones = [(pattern, envelope.Opener(_zone(name))) for pattern, name in (zones or {}).items()]

    def decode(self, batch: LoggedBatch) -> Decoded:
        """Every record of the batch as an event, part of one, or quarantined. Never raises."""
        opener = next((one for pattern, one in self._zones if fnmatch.fnmatchcase(batch.raw.source, pattern)), self._default)
        opener.received = batch.raw.received
        return _Run(batch, opener, self._dispatch, self.complain).run()

    def complain(self, parser: str, error: Exception) -> None:
        what = f"{parser}: {type(error).__name__}"
        self.errors[what] = self.errors.get(what, 0) + 1

    def provided(self) -> dict[str, frozenset[str] | None]:
        """Dataset -> every field its events may have; None where the sender decides."""
        found: dict[str, frozenset[str] | None] = {OTHER: ENVELOPE}
        for one in self.parsers.values():
            for dataset in {one.dataset, *one.logsources}:
                found[dataset] = None if one.fields is None else ENVELOPE | one.fields
        return found

    @property
    def logsources(self) -> dict[str, LogSource]:
        """Dataset -> Sigma's (category, product, service)."""
        found: dict[str, LogSource] = {OTHER: (None, "linux", "syslog")}
        for one in self.parsers.values():
            found |= one.logsources
        return found


class _Dispatch:
    """Who is asked about what."""

    def __init__(self, parsers: Iterable[Loaded]) -> None:
        self.programs: dict[str, tuple[Loaded, ...]] = {}
        self.formats: dict[str, tuple[Loaded, ...]] = {}
        self.json: list[tuple[tuple[str, ...], Loaded]] = []
        self.prefixes: dict[str, tuple[Loaded, ...]] = {}
        """First four letters of a body -> who reads it whatever the program (PAM speaks through every one)."""
        last: list[tuple[tuple[str, ...], Loaded]] = []
        for one in parsers:
            for program in one.programs:
                self.programs[program] = (*self.programs.get(program, ()), one)
            for name in one.formats:
                self.formats[name] = (*self.formats.get(name, ()), one)
            for mark in one.marks:
                (self.json if mark else last).append((mark, one))
            if one.prefix:
                self.prefixes[one.prefix[:4]] = (one,)
        self.json += last
        self._cache: dict[str, tuple[Loaded, ...]] = dict(self.programs)

    def of(self, program: str) -> tuple[Loaded, ...]:
        """The parsers of a program; its path and letter case do not matter."""
        known = self._cache.get(program)
        if known is None:
            plain = program.rpartition("/")[2].partition("(")[0]
            known = self.programs.get(plain) or self.programs.get(plain.lower()) or ()
            if len(self._cache) < _MANY:
                self._cache[program] = known
        return known

    def of_json(self, record: dict[str, Any]) -> Iterable[Loaded]:
        for mark, one in self.json:
            if all(key in record for key in mark):
                yield one


class _Run:
    """One batch on its way."""

    def __init__(
        self, batch: LoggedBatch, opener: envelope.Opener, dispatch: _Dispatch, complain: Callable[[str, Exception], None]
    ) -> None:
        raw = batch.raw
        self._raw, self._opener, self._dispatch, self._complain = raw, opener, dispatch, complain
        self._received, self._latest = raw.received, raw.received + _DAY
        self._prefix = f"{batch.seq:010x}-"
        self._line = RawLine("", zone=opener.zone)
        self._peers = list(raw.peer_of()) if raw.peers else None
        self._templates: dict[tuple[str | None, str, str], Event] = {}
        self._encodings: dict[int, str] = {}
        self._merging: dict[tuple[str, str, str], tuple[Loaded, Event, list[str]]] = {}
        self._decoded = Decoded()

    def run(self) -> Decoded:
        raw = self._raw
        format_ = raw.format if raw.format in NAMES else recognise(raw.records)
        if format_ == "json":
            for index, record in enumerate(raw.records):
                self._json_record(index, record)
        else:
            texts = self._texts()
            if format_ in _HEADLESS:
                for index, text in enumerate(texts):
                    self._headless(index, text, format_)
            elif format_ == "text":
                for index, text in enumerate(texts):
                    self._program(index, (None, "", "", None, text, None, None), text)
            else:
                self._syslog(texts)
        self._finish_merging()
        return self._decoded

    def _texts(self) -> list[str]:
        records = self._raw.records
        try:
            return [str(record, "utf-8") for record in records]
        except UnicodeDecodeError:
            pairs = envelope.texts(records)
            self._encodings = {index: encoding for index, (_, encoding) in enumerate(pairs) if encoding}
            return [text for text, _ in pairs]

    # -------------------------------------------------------------- envelopes

    def _syslog(self, texts: list[str]) -> None:
        open_, program = self._opener.open, self._program
        for index, text in enumerate(texts):
            if text[-1:] in _ENDS:
                text = text.rstrip(_ENDS)
            opened = open_(text)
            if opened is not None:
                program(index, opened, text)
            else:
                self._quarantine(index, "no syslog header: neither priority nor time and host" if text else "empty record")

    def _headless(self, index: int, text: str, format_: str) -> None:
        text = text.rstrip(_ENDS)
        if not text:
            self._quarantine(index, "empty record")
            return
        opened = (None, "", "", None, text, None, None)
        line = self._lined(opened)
        for one in self._dispatch.formats.get(format_, ()):
            if one.key and (key := self._asked(one.key, one, line)):
                self._merge(index, opened, one, key)
                return
            if one.parse and (fields := self._asked(one.parse, one, line)) is not None:
                self._keep(index, opened, fields, one)
                return
        self._quarantine(index, f"not a line of the {format_} format")

    def _lined(self, opened: envelope.Opened) -> RawLine:
        """The line that parsers are shown: one object for all, valid only while they look at it."""
        time, host, program, pid, body, _, _ = opened
        line = self._line
        line.body, line.program, line.host, line.pid = body, program, host, pid or ""
        line.time = self._received if time is None else time
        return line

    def _asked(self, how: Callable[[RawLine], Any], one: Loaded, line: RawLine) -> Any:
        try:
            return how(line)
        except Exception as error:  # the edge: whatever a parser does, its line stays an event
            self._complain(one.name, error)
            return None

    # -------------------------------------------------------------- lines of programs

    def _program(self, index: int, opened: envelope.Opened, text: str) -> None:
        body = opened[4]
        parsers = self._dispatch.prefixes.get(body[:4]) or self._dispatch.of(opened[2])
        line = self._lined(opened)
        for one in parsers:
            if one.key and (key := self._asked(one.key, one, line)):
                self._merge(index, opened, one, key)
                return
            if one.parse is not None:
                try:
                    fields = one.parse(line)
                except Exception as error:  # the edge: whatever a parser does, its line stays an event
                    self._complain(one.name, error)
                    continue
                if fields is not None:
                    self._keep(index, opened, fields, one)
                    return
        if not parsers and body[:1] == "{" and (found := self._json_body(body, line)):
            self._keep(index, opened, found[1], found[0])
        else:
            self._unparsed(index, opened, text, parsers)

    def _json_body(self, body: str, line: RawLine) -> tuple[Loaded, Fields] | None:
        try:
            record = orjson.loads(body)
        except ValueError:
            return None
        return self._json_fields(record, line) if isinstance(record, dict) else None

    def _unparsed(self, index: int, opened: envelope.Opened, text: str, parsers: tuple[Loaded, ...]) -> None:
        """An event of the envelope alone. A known program's keeps its dataset: rules that look for words still see it."""
        known = parsers[0] if parsers else None
        self._keep(index, opened, {"soc.unparsed": True, "event.original": text}, known)
        self._decoded.parsers[-1] = ""
        name, unparsed = opened[2][:64], self._decoded.unparsed
        if name not in unparsed and len(unparsed) >= _MANY:
            name = "…"
        unparsed[name] = unparsed.get(name, 0) + 1

    def _template(self, priority: str | None, program: str, one: Loaded | None) -> Event:
        """What events of one program and priority have in common."""
        event: Event = {
            "event.ingested": self._received,
            "event.dataset": one.dataset if one else OTHER,
            "soc.source": self._raw.source,
            "soc.parser": one.name if one else "",
        }
        if program:
            event["process.name"] = program
        if priority is not None and (number := int(priority)) <= 191:
            event["log.syslog.facility.code"] = number >> 3
            event["log.syslog.severity.code"] = number & 7
        if len(self._templates) < _MANY:
            self._templates[priority, program, one.name if one else ""] = event
        return event

    def _keep(self, index: int, opened: envelope.Opened, fields: Fields, one: Loaded | None) -> Event:
        """Make the event: what the batch says, what the envelope says, what the parser says, the later over the earlier."""
        time, host, program, pid, body, priority, extra = opened
        name = one.name if one is not None else ""
        template = self._templates.get((priority, program, name))
        event = (template if template is not None else self._template(priority, program, one)).copy()
        event["@timestamp"] = self._received if time is None else time
        event["event.id"] = f"{self._prefix}{index:04x}"
        event["message"] = body
        if host:
            event["host.name"] = host
        if pid and pid.isdigit():
            event["process.pid"] = int(pid)
        if extra:
            event.update(extra)
        event.update(fields)
        self._place(index, event, name)
        return event

    def _place(self, index: int, event: Event, parser: str) -> None:
        """What holds for every event: who sent it, a clock that is not to be believed, bytes that were no UTF-8."""
        self._check_clock(event)
        if self._peers is not None and (peer := self._peers[index]):
            event["soc.peer"] = peer
        if self._encodings and (encoding := self._encodings.get(index)):
            event["soc.encoding"] = encoding
        decoded = self._decoded
        decoded.events.append(event)
        decoded.parsers.append(parser)
        decoded.records.append(index)

    def _check_clock(self, event: Event) -> None:
        """A time before 1980 or more than a day ahead of us would hide the event from every question about today."""
        moment = event["@timestamp"]
        if isinstance(moment, int):
            if _EARLIEST < moment < self._latest:
                return
            event["event.created"] = moment
            event["soc.clock"] = "ahead" if moment > self._received else "behind"
        event["@timestamp"] = self._received

    def _quarantine(self, index: int, reason: str) -> None:
        raw = self._raw
        peer = self._peers[index] if self._peers is not None else ""
        self._decoded.quarantined.append(
            Quarantined(f"{self._prefix}{index:04x}", raw.source, raw.received, raw.records[index], reason, raw.format, peer)
        )

    # -------------------------------------------------------------- records that belong together

    def _merge(self, index: int, opened: envelope.Opened, one: Loaded, key: str) -> None:
        place = (one.name, opened[1], key)
        if (found := self._merging.get(place)) is not None:
            found[2].append(opened[4])
            self._decoded.merged += 1
        else:
            self._merging[place] = (one, self._keep(index, opened, {}, one), [opened[4]])

    def _finish_merging(self) -> None:
        for one, event, bodies in self._merging.values():
            assert one.combine is not None
            try:
                fields = one.combine(bodies)
            except Exception as error:  # the edge, as above
                self._complain(one.name, error)
                fields = None
            event["message"] = "\n".join(bodies)
            event.update(fields if fields is not None else {"soc.unparsed": True})
            self._check_clock(event)
            if len(bodies) > 1:
                event["soc.merged"] = len(bodies)

    # -------------------------------------------------------------- JSON records

    def _json_record(self, index: int, record: bytes) -> None:
        if len(record) > _LONGEST:
            self._quarantine(index, f"longer than {_LONGEST} bytes")
            return
        try:
            value = orjson.loads(record)
        except ValueError as error:
            value, reason = self._odd_json(index, record, error)
            if value is None:
                self._quarantine(index, reason)
                return
        if value.__class__ is not dict:
            self._quarantine(index, "JSON, but no object")
            return
        self._line.time, self._line.program = self._received, self._raw.source
        if (found := self._json_fields(value, self._line)) is None:
            self._quarantine(index, "no parser takes this JSON object")
            return
        one, fields = found
        event: Event = {
            "@timestamp": self._received,
            "event.ingested": self._received,
            "event.id": f"{self._prefix}{index:04x}",
            "event.dataset": one.dataset,
            "soc.source": self._raw.source,
            "soc.parser": one.name,
        }
        event.update(fields)
        self._place(index, event, one.name)

    def _odd_json(self, index: int, record: bytes, error: ValueError) -> tuple[Any, str]:
        """A byte order mark or GB18030 text; else why it is no JSON."""
        if not record.strip():
            return None, "empty record"
        text, encoding = envelope.texts([record.removeprefix(b"\xef\xbb\xbf")])[0]
        try:
            value = orjson.loads(text)
        except ValueError:
            return None, f"not JSON: {str(error)[:200]}"
        if encoding:
            self._encodings[index] = encoding
        return value, ""

    def _json_fields(self, record: dict[str, Any], line: RawLine) -> tuple[Loaded, Fields] | None:
        for one in self._dispatch.of_json(record):
            if one.parse_json is not None:
                try:
                    fields = one.parse_json(record, line)
                except Exception as error:  # the edge: the next parser, at the latest the generic one, keeps the record
                    self._complain(one.name, error)
                    continue
                if fields is not None:
                    return one, fields
        return None


