"""What every event store promises, whatever keeps it. A keeper's test module derives from this and says how to open one.

The judge is `soc.store.evaluate` over the same events; its own meaning is fixed by hand in tests/soc/store/test_evaluate.py.
"""

# ruff: noqa: E501 - the tables below are read by row

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc.contracts import EventStore, StoreWriter
from soc.errors import QueryError
from soc.model import Event, event_id
from soc.query import (
    Aggregation,
    All,
    And,
    Bucket,
    Cardinality,
    Cidr,
    Contains,
    DateHistogram,
    Exists,
    Filter,
    Not,
    Or,
    Prefix,
    Query,
    Range,
    Regex,
    Stat,
    Term,
    Terms,
    TermsOf,
    Wildcard,
)
from soc.store.evaluate import aggregated, matcher
from soc.store.fitting import fitted

START = 1_763_900_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
SIZE = 2400
BATCH = 60
PAIR = tuple[StoreWriter, EventStore]

USERS = ["root", "Admin", "张伟", "李 娜", "svc_backup", "svc_%", "o'brien", "straße", "ΟΔΥΣΣΕΥΣ", "İnci", "a*b", "x?y", "c:\\d"]
ADDRESSES = ["10.0.0.1", "10.0.3.77", "10.20.30.40", "192.0.2.7", "::ffff:10.0.0.9", "2001:db8::1", "2001:DB8:0:0::2", "fe80::1%eth0",
             "10.0.0", "10.0.0.300", "not an address", "172.16.5.4", "172.31.255.255", "172.32.0.1"]
WORDS = ["查询了客户身份证号明细", "导出", "Failed password for", "ACCEPTED publickey", "line\nbreak", "tab\there", "100%", "under_score",
         "back\\slash", "quote\"s", "semi;colon", "nul\0byte", "naïve", "ﬁ ligature", "emoji 😀", "e\u0301", ""]
NUMBERS = ["7", "07", "-3", "1e3", "0x10", "12.50", " 5", "abc", "1_000", "９", "inf", "nan", "999999999999999999999", "", "1e999"]


def world(size: int = SIZE, seed: int = 7) -> list[Event]:
    """Events as parsers make them, and as they should not but might."""
    dice = random.Random(seed)
    return [_event(dice, number) for number in range(size)]


def _event(dice: random.Random, number: int) -> Event:
    seq, index = divmod(number, BATCH)
    event: Event = {
        "@timestamp": START + number * 30 * SECOND + dice.randrange(-40, 40) * SECOND,
        "event.id": event_id(seq + 1, index),
        "event.dataset": dice.choice(["sshd.auth", "nginx.access", "erp.audit", "Mixed.Case"]),
        "message": f"{dice.choice(WORDS)} {dice.choice(USERS)} {number}",
        "event.category": dice.sample(["authentication", "web", "iam", "database"], dice.randrange(1, 3)),
    }
    optional: list[tuple[str, float, object]] = [
        ("user.name", 0.6, dice.choice(USERS)),
        ("source.ip", 0.7, dice.choice(ADDRESSES)),
        ("source.port", 0.5, dice.choice([22, 80, 443, 8080, 65535, 0])),
        ("event.outcome", 0.8, dice.choice(["success", "failure", "Success"])),
        ("event.risk_score", 0.4, dice.choice([0.5, 12.25, -3.0, 99.0, 1e20])),
        ("tags", 0.3, dice.sample(["Prod", "test", "张", "a_b"], 2)),
        ("soc.sample", 0.1, dice.choice([True, False])),
        ("event.created", 0.2, START + number * 1000),
        ("event.duration", 0.3, dice.choice([0, 1, -1, 2**53 + 1, -(2**63), 2**63 - 1])),
        ("acme.count", 0.4, dice.choice(NUMBERS)),
        ("acme.names", 0.1, dice.choice([["red", "Green"], ["blue", "10"], "Green"])),
        ("Acme.Count", 0.1, "capital"),
        ("event.original", 0.1, "original " + dice.choice(WORDS)),
        ("business.record.id", 0.1, ["r1", "R2", "r1"]),
        ("acme", 0.05, "both"), ("acme.count.deep", 0.05, "both"),
    ]
    return event | {name: value for name, chance, value in optional if dice.random() < chance}


# ------------------------------------------------------------------ filters

FILTERS: list[Filter] = [
    Term("user.name", "root"), Term("user.name", "ROOT"), Term("user.name", "张伟"), Term("user.name", "svc_%"),
    Term("user.name", "STRASSE"), Term("user.name", "STRAßE"), Term("user.name", "οδυσσευσ"), Term("user.name", "inci"),
    Term("source.port", 22), Term("source.port", "22"), Term("source.port", 22.0), Term("source.port", "ssh"),
    Term("source.port", 22.5), Term("source.port", True), Term("source.port", 2**70),
    Term("soc.sample", True), Term("soc.sample", "true"), Term("soc.sample", "False"), Term("soc.sample", 1),
    Term("event.risk_score", 12.25), Term("event.risk_score", "12.25"), Term("event.risk_score", 99), Term("event.risk_score", "x"),
    Term("event.category", "WEB"), Term("tags", "prod"), Term("acme.names", "green"), Term("acme.count", 7), Term("acme.count", "07"),
    Term("Acme.Count", "CAPITAL"), Term("acme.count", "capital"), Term("acme", "both"), Term("acme.count.deep", "both"),
    Term("event.created", START + 1000), Term("no.such.field", "x"), Term("event.duration", 2**53 + 1), Term("event.duration", 2**53),
    Term("event.dataset", "SSHD.auth"), Term("event.id", event_id(3, 4)), Term("event.id", event_id(3, 4).upper()),
    Terms("source.port", (22, "443", "x")), Terms("user.name", ("root", "ADMIN")), Terms("user.name", ()), Terms("event.dataset", ("a",)),
    Not(Term("user.name", "root")), Not(Term("no.such.field", "x")), Not(Exists("user.name")), Not(Not(Term("tags", "TEST"))),
    Exists("tags"), Exists("event.original"), Exists("no.such.field"), Exists("acme.names"),
    Range("source.port", gte=80), Range("source.port", gt=80, lt=8080), Range("source.port", gte="80", lte="443"),
    Range("source.port", gt=79.5, lte=443.9), Range("source.port", gte="ssh"), Range("source.port"), Range("source.port", lt=-(2**80)),
    Range("source.port", gt=-(2**80), lt=2**80), Range("event.duration", gte=2**53 + 1), Range("event.duration", lte=-(2**63)),
    Range("event.duration", gt=2**63 - 1), Range("event.risk_score", gte=0), Range("event.risk_score", lt=0.5),
    Range("acme.count", gte=5), Range("acme.count", lt="5"), Range("acme.count", gt=-10, lt=1e4), Range("acme.count", gte="abc"),
    Range("acme.names", gte=5), Range("acme.names", gt="GREEN"), Range("user.name", gte="s", lt="t"), Range("soc.sample", gte=True),
    Range("@timestamp", gte=START + 1000 * 30 * SECOND), Range("@timestamp", lt="2025-11-23T18:00:00Z"), Range("@timestamp", gte="soon"),
    Prefix("user.name", "SVC_"), Prefix("user.name", "李"), Prefix("source.port", "80"), Prefix("event.category", "data"),
    Prefix("event.risk_score", "1"), Prefix("@timestamp", "2"), Prefix("soc.sample", "t"), Prefix("user.name", ""),
    Contains("message", "PASSWORD"), Contains("message", "身份证号"), Contains("message", "100%"), Contains("message", "_"),
    Contains("message", "\\"), Contains("message", "\0"), Contains("message", "\n"), Contains("message", "'"), Contains("message", '"'),
    Contains("message", "😀"), Contains("message", "NAÏVE"), Contains("message", "É"), Contains("message", "ﬁ"), Contains("message", "fi"),
    Contains(None, "original"), Contains(None, "导出"), Contains(None, "nowhere at all"), Contains("tags", "RO"), Contains("acme.names", "lu"),
    Contains("event.duration", "992"), Contains("message", ""), Contains("message", "; drop table events --"),
    Wildcard("user.name", "*A*"), Wildcard("user.name", "r??t"), Wildcard("user.name", "svc_*"), Wildcard("user.name", "?"),
    Wildcard("user.name", "*"), Wildcard("user.name", "李*娜"), Wildcard("user.name", "c:\\*"), Wildcard("user.name", "a*b"),
    Wildcard("user.name", "[a-z]*"), Wildcard("message", "*line*break*"), Wildcard("message", "*\0*"), Wildcard("tags", "P*d"),
    Wildcard("source.port", "80*"), Wildcard("message", "*" * 200 + "a"), Wildcard("user.name", "*İ*"), Wildcard("user.name", ""),
    Wildcard("message", "*" + "a*" * 100 + "z"),
    Cidr("source.ip", "10.0.0.0/8"), Cidr("source.ip", "10.0.0.0/22"), Cidr("source.ip", "10.0.0.1"), Cidr("source.ip", "0.0.0.0/0"),
    Cidr("source.ip", "172.16.0.0/12"), Cidr("source.ip", "2001:db8::/32"), Cidr("source.ip", "2001:db8::2/128"), Cidr("source.ip", "::/0"),
    Cidr("source.ip", "fe80::/10"), Cidr("source.ip", "10.0.3.64/26"), Cidr("user.name", "10.0.0.0/8"), Cidr("source.port", "0.0.0.22"),
    Not(Cidr("source.ip", "2001:db8::/32")), Cidr("event.category", "::/0"), Cidr("no.such.field", "2001:db8::/32"),
    Regex("message", "pass(word|phrase)"), Regex("message", "^查询"), Regex("user.name", "^.{2}$"), Regex("message", r"\d{4}$"),
    Regex("message", "(?-i)FAILED"), Regex("message", "^line$"), Regex("message", "(?m)^break"), Regex("tags", "^a.b$"),
    Regex("user.name", "[[:alpha:]]+"), Regex("message", "a|"), Regex("source.port", "^4+3$"), Regex("message", r"\pL{9}"),
    Regex("user.name", "σ"), Regex("message", r"(a+)+$"), Regex("user.name", "'"),
    All(), And(()), Or(()), Not(All()), Not(Or(())),
    And((Term("event.dataset", "sshd.auth"), Not(Term("event.outcome", "success")), Range("source.port", gte=80))),
    Or((Term("event.dataset", "erp.audit"), And((Exists("tags"), Contains(None, "导出"))))),
    And((Or((Term("event.dataset", "erp.audit"), Term("event.dataset", "none"))), Not(Or((Exists("user.name"), Exists("source.ip")))))),
    Not(And((Term("event.dataset", "erp.audit"), Exists("user.name")))),
    And((Term("event.dataset", "erp.audit"), Term("event.dataset", "sshd.auth"))),
]

_NAMES = st.sampled_from(
    ["user.name", "source.ip", "source.port", "event.risk_score", "tags", "soc.sample", "acme.count", "acme.names", "Acme.Count",
     "message", "event.category", "event.dataset", "event.duration", "@timestamp", "no.such", "acme", "business.record.id", "we\"ird"]
)
_TEXTS = st.sampled_from([*USERS, *ADDRESSES, *WORDS, *NUMBERS, "a", "1", "é", "%", "_", "$v0", "{source}"]) | st.text(max_size=4)
_VALUES = (
    _TEXTS | st.integers(-3, 500) | st.sampled_from([0.5, -3.0, 2**63, -(2**63), 1e300, START, math.inf, math.nan]) | st.booleans()
)
_GLOBS = st.text(alphabet="*?abcsv_%张\\.", max_size=8)
_REGEXES = st.sampled_from(["a", "^s", "o$", "张|李", "[0-9]+", r"\w\W", "(?i)A", ".", "^$", "\\.", "x*", r"\bweb\b"])
_NETWORKS = st.sampled_from(["10.0.0.0/8", "10.0.3.0/25", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.0.2.7", "172.16.0.0/12"])
_BOUND = st.none() | _VALUES


def _range(name: str, lower: str, low: Any, upper: str, high: Any) -> Range:
    """Each end once, as queries can say it."""
    return Range(name, **{lower: low, upper: high})


_LEAVES: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Term, _NAMES, _VALUES), st.builds(Terms, _NAMES, st.lists(_VALUES, max_size=3).map(tuple)),
    st.builds(_range, _NAMES, st.sampled_from(("gt", "gte")), _BOUND, st.sampled_from(("lt", "lte")), _BOUND),
    st.builds(Exists, _NAMES), st.builds(Prefix, _NAMES, _TEXTS),
    st.builds(Contains, st.none() | _NAMES, _TEXTS), st.builds(Wildcard, _NAMES, _GLOBS), st.builds(Regex, _NAMES, _REGEXES),
    st.builds(Cidr, _NAMES, _NETWORKS),
)


def _branches(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, inner)


TREES: st.SearchStrategy[Filter] = st.recursive(_LEAVES, _branches, max_leaves=6)

AGGREGATIONS: list[Aggregation] = [
    DateHistogram(300 * SECOND), DateHistogram(DAY, by="event.dataset"), DateHistogram(3600 * SECOND, by="user.name", size=2),
    DateHistogram(7, field="event.created"), DateHistogram(DAY, by="event.category", size=1), DateHistogram(DAY, by="source.port"),
    DateHistogram(DAY, by="acme.names", size=2), DateHistogram(DAY, by="no.such.field"),
    TermsOf(("user.name",), 5), TermsOf(("user.name",), 0), TermsOf(("event.category",)), TermsOf(("source.port",), 3),
    TermsOf(("user.name", "source.ip"), 7), TermsOf(("event.category", "tags"), 4), TermsOf(("acme.names",), 9), TermsOf(("soc.sample",)),
    TermsOf(("no.such.field",)), TermsOf(("user.name", "no.such.field")), TermsOf(("business.record.id",)), TermsOf(("acme.count",), 20),
    Cardinality("user.name"), Cardinality("event.category"), Cardinality("source.port"), Cardinality("no.such.field"),
    *(Stat(kind, name) for kind in ("sum", "avg", "min", "max", "p50", "p95", "p99") for name in ("source.port", "event.risk_score")),
    Stat("max", "acme.count"), Stat("sum", "acme.names"), Stat("min", "no.such.field"), Stat("min", "@timestamp"),
]


def same(one: list[Bucket] | float | None, other: list[Bucket] | float | None) -> bool:
    """Equal, but that sums of real numbers depend on their order."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


class StoreContract:
    """Derive, and give `open(folder)`; override `fill` to spread the world over what this store is made of."""

    @classmethod
    def open(cls, folder: Path) -> PAIR:
        raise NotImplementedError

    @classmethod
    def fill(cls, pair: PAIR, events: Sequence[Event]) -> None:
        for start in range(0, len(events), BATCH):
            pair[0].append(start // BATCH + 1, events[start : start + BATCH])
        pair[0].flush()

    @pytest.fixture(scope="class")
    @classmethod
    def events(cls) -> list[Event]:
        return [fitted(event) for event in world()]

    @pytest.fixture(scope="class")
    @classmethod
    def full(cls, tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Iterator[EventStore]:
        """A store that holds the world. Only asked, never changed."""
        pair = cls.open(tmp_path_factory.mktemp("full"))
        cls.fill(pair, world())
        yield pair[1]
        pair[1].close()
        pair[0].close()

    @pytest.fixture
    def pair(self, tmp_path: Path) -> Iterator[PAIR]:
        pair = self.open(tmp_path)
        yield pair
        pair[1].close()
        pair[0].close()

    # ---- filters

    @pytest.mark.parametrize("where", FILTERS, ids=repr)
    def test_a_filter_means_what_the_reference_says(self, full: EventStore, events: list[Event], where: Filter) -> None:
        self._agree(full, events, where)

    @given(where=TREES)
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def test_any_tree_means_what_the_reference_says(self, full: EventStore, events: list[Event], where: Filter) -> None:
        self._agree(full, events, where)

    def _agree(self, full: EventStore, events: list[Event], where: Filter) -> None:
        test = matcher(where)
        expected = {event["event.id"] for event in events if test(event)}
        found = {e["event.id"] for e in full.search(Query(where, limit=SIZE + 1, fields=("event.id",))).events}
        assert found == expected
        assert full.count(where) == len(expected)

    @pytest.mark.parametrize("where", [Regex("message", "("), Regex("message", r"(a)\1"), Regex("message", "a)(b"), Cidr("source.ip", "10"),
                                       Regex("message", "a" * 5000), Wildcard("message", "a" * 5000), Cidr("source.ip", "")])
    def test_a_wrong_filter_is_said_so(self, full: EventStore, where: Filter) -> None:
        with pytest.raises(QueryError):
            full.count(where)

    # ---- aggregations

    @pytest.mark.parametrize("asked", AGGREGATIONS, ids=repr)
    @pytest.mark.parametrize("where", [All(), Not(Term("event.dataset", "erp.audit")), Term("user.name", "nobody")], ids=["all", "most", "none"])
    def test_an_aggregation_gives_what_the_reference_gives(
        self, full: EventStore, events: list[Event], asked: Aggregation, where: Filter
    ) -> None:
        chosen = list(filter(matcher(where), events))
        assert same(full.aggregate(where, {"x": asked})["x"], aggregated(chosen, asked))

    def test_an_aggregation_heeds_the_times(self, full: EventStore, events: list[Event]) -> None:
        since, until = START + 3000 * SECOND, START + 9000 * SECOND
        chosen = [event for event in events if since <= int(str(event["@timestamp"])) < until]
        answer = full.aggregate(All(), {"a": TermsOf(("user.name",)), "b": Cardinality("source.ip")}, since, until)
        assert answer == {"a": aggregated(chosen, TermsOf(("user.name",))), "b": aggregated(chosen, Cardinality("source.ip"))}
        assert full.count(All(), since, until) == len(chosen)

    @pytest.mark.parametrize("asked", [DateHistogram(0), DateHistogram(-5), DateHistogram(1, field="user.name"), TermsOf(()),
                                       Stat("median", "source.port"), Stat("sum) from x --", "source.port"), Stat("sum", "soc.sample")])
    def test_a_wrong_aggregation_is_said_so(self, full: EventStore, asked: Aggregation) -> None:
        with pytest.raises(QueryError):
            full.aggregate(All(), {"x": asked})

    # ---- pages

    @pytest.mark.parametrize("oldest_first", [False, True])
    @pytest.mark.parametrize("fields", [None, ("message", "acme.names", "Acme.Count", "tags", "acme", "no.such.field")])
    def test_pages_show_every_event_once_and_in_order(
        self, full: EventStore, events: list[Event], oldest_first: bool, fields: tuple[str, ...] | None
    ) -> None:
        where = Term("event.outcome", "failure")
        chosen = sorted(filter(matcher(where), events), key=_place, reverse=not oldest_first)
        seen: list[Event] = []
        query = Query(where, limit=97, fields=fields, oldest_first=oldest_first)
        while True:
            found = full.search(query)
            seen += found.events
            if found.after is None:
                break
            query = Query(where, limit=97, fields=fields, oldest_first=oldest_first, after=found.after)
        assert seen == [event if fields is None else {k: event[k] for k in fields if k in event} for event in chosen]
        assert not found.partial

    @pytest.mark.parametrize("limit", [0, 1, SIZE - 1, SIZE, SIZE + 1])
    def test_after_is_given_exactly_while_there_is_more(self, full: EventStore, limit: int) -> None:
        found = full.search(Query(limit=limit, fields=("event.id",)))
        assert len(found.events) == min(limit, SIZE)
        assert (found.after is not None) == (0 < limit < SIZE)

    def test_times_bound_a_search(self, full: EventStore, events: list[Event]) -> None:
        times = sorted(int(str(event["@timestamp"])) for event in events)
        since, until = times[500], times[900]
        found = full.search(Query(since=since, until=until, limit=SIZE, fields=("@timestamp",)))
        assert [e["@timestamp"] for e in found.events] == [t for t in reversed(times) if since <= t < until]

    def test_whole_events_come_by_id(self, full: EventStore, events: list[Event]) -> None:
        wanted = [event for number, event in enumerate(events) if number % 7 == 0]
        ids = [str(event["event.id"]) for event in wanted]
        assert full.get([*ids, "ffffffffff-0000", "", "no id", "'"]) == {str(event["event.id"]): event for event in wanted}
        assert full.get([]) == {}

    def test_fields_are_those_that_occur(self, full: EventStore, events: list[Event]) -> None:
        fields = full.fields()
        assert set(fields) == {name for event in events for name in event}
        assert (fields["source.port"], fields["source.ip"], fields["acme.count"]) == ("long", "ip", "keyword")

    # ---- writing

    def test_an_empty_store_answers(self, pair: PAIR) -> None:
        store = pair[1]
        assert store.search(Query()).events == []
        assert (store.count(All()), store.get(["x"]), store.fields()) == (0, {}, {})
        assert store.aggregate(All(), {"a": TermsOf(("x",)), "b": Cardinality("x"), "c": Stat("sum", "x")}) == {"a": [], "b": 0.0, "c": None}
        assert store.delete(All()) == 0

    def test_appended_events_are_seen_before_they_are_flushed(self, pair: PAIR) -> None:
        writer, store = pair
        writer.append(1, world(5))
        assert (store.count(All()), writer.waiting) == (5, 5)
        writer.append(2, [])
        writer.flush()
        assert (store.count(All()), writer.waiting) == (5, 0)

    def test_a_sequence_is_stored_once(self, pair: PAIR) -> None:
        writer, store = pair
        first, second = world(120)[:60], world(120)[60:]
        writer.append(1, first)
        writer.append(1, first)
        writer.flush()
        writer.append(1, first)
        writer.append(2, second)
        assert store.count(All()) == 120
        writer.settle(2)
        writer.append(2, second)
        writer.flush()
        writer.append(2, second)
        assert store.count(All()) == 120

    @pytest.mark.parametrize("event", [
        {"source.port": "22", "tags": "one", "soc.sample": "TRUE", "event.created": "2026-01-02T03:04:05Z"},
        {"source.port": "ssh", "event.risk_score": "high", "event.created": "yesterday", "soc.sample": "maybe"},
        {"source.port": 2**70, "event.risk_score": math.nan, "event.duration": -(2**63)},
        {"event.risk_score": math.inf}, {"event.risk_score": 5}, {"event.risk_score": True}, {"source.port": True}, {"source.port": 22.0},
        {"source.port": [22, 80]}, {"source.port": [22]}, {"source.port": [22, "x"]}, {"soc.sample": [True, False]},
        {"tags": []}, {"tags": ""}, {"tags": ["a", None, "b"]}, {"tags": "é"}, {"tags": ["a"]}, {"event.category": "web"},
        {"acme.x": ["one"]}, {"acme.x": ["one", "two"]}, {"acme.x": ["one", 2, True]}, {"acme.x": 1.5}, {"acme.x": None},
        {"acme.x": {"nested": "no"}}, {"acme.x": b"\xff"}, {"acme.x": "\ud800 lone"}, {"acme.x": "nul\0"}, {"acme.x": ""},
        {"Acme.X": "1", "acme.x": "2", "ACME.X": "3"}, {"x": "1", "x.y": "2", "x.y.z": "3"},
        {"__proto__": "a", "constructor": "b", "_extra": "c", "[]tags": "d", "_": "e", "[]": "f", "": "g", "^": "h", "a^1": "i"},
        {"c0": "a", "$v0": "b", "{source}": "c", "row_number": "d", "hot": "e", '"': "f", "'; --": "g", "a b": "h", "x\0y": "i"},
        {"x" * 5000: "long", "字段": "名", "é": "1", "É": "2", "\ud800": "name", "😀": "s", "a\nb": "n"},
        {"_extra": [["k", ["v"]]]}, {"_many": ["a", "b"]}, {"@timestamp": 2**70}, {"@timestamp": "2026-01-02T03:04:05Z"},
        {"@timestamp": True}, {"@timestamp": 253_402_300_800_000_000}, {"event.created": 2**62}, {"event.dataset": ["a", "b"]},
        {"event.dataset": 7}, {"event.dataset": ""}, {"soc.ignored": "mine", "source.port": "x"},
    ], ids=lambda event: ascii(event)[:60])  # fmt: skip
    def test_a_value_or_name_out_of_the_ordinary_is_kept_as_the_fitting_says(self, pair: PAIR, event: Event) -> None:
        writer, store = pair
        odd: Event = {"@timestamp": START, "event.id": event_id(1, 1), "event.dataset": "odd"} | event
        plain: Event = {"@timestamp": START, "event.id": event_id(1, 0), "event.dataset": "odd", "message": "neighbour"}
        writer.append(1, [dict(plain), dict(odd)])
        expected = fitted(odd)
        for _ in range(2):
            got = store.get([event_id(1, 0), event_id(1, 1)])
            expected["@timestamp"] = expected["@timestamp"] or got[event_id(1, 1)]["@timestamp"]  # unreadable: when it came
            assert got == {event_id(1, 0): plain, event_id(1, 1): expected}
            for name in expected:
                assert store.count(Exists(name)) in (1, 2), name
            writer.flush()

    def test_ten_thousand_names_lose_nothing(self, pair: PAIR) -> None:
        writer, store = pair
        events: list[Event] = [
            {"@timestamp": START + i, "event.id": event_id(1, i), "event.dataset": "odd"} | {f"n{i}.{k}": f"v{k}" for k in range(50)}
            for i in range(200)
        ]
        writer.append(1, events)
        writer.flush()
        assert store.get([event_id(1, 3), event_id(1, 199)]) == {event_id(1, i): events[i] for i in (3, 199)}
        assert store.count(Term("n199.7", "V7")) == 1
        assert store.aggregate(All(), {"t": TermsOf(("n198.1",))})["t"] == [Bucket(("v1",), 1)]

    def test_an_event_without_id_and_time_gets_them(self, pair: PAIR) -> None:
        writer, store = pair
        writer.append(9, [{"message": "bare"}, {"message": "bare too"}])
        assert store.get([event_id(9, 1)])[event_id(9, 1)]["message"] == "bare too"

    # ---- taking out

    def test_deleted_events_are_gone_whether_flushed_or_not(self, pair: PAIR) -> None:
        writer, store = pair
        events = world(600)
        for seq in range(10):
            writer.append(seq + 1, events[seq * 60 : seq * 60 + 60])
            if seq in (3, 7):
                writer.flush()
        where = Or((Term("user.name", "root"), Term("event.dataset", "erp.audit")))
        test = matcher(where)
        left = {e["event.id"] for e in events if not test(fitted(e))}
        assert store.delete(where) == 600 - len(left)
        for _ in range(2):
            assert {e["event.id"] for e in store.search(Query(limit=999, fields=("event.id",))).events} == left
            assert store.count(where) == 0
            writer.flush()
        assert store.delete(where) == 0

    def test_everything_can_be_deleted(self, pair: PAIR) -> None:
        writer, store = pair
        writer.append(1, world(60))
        writer.flush()
        writer.append(2, world(90)[60:])
        assert store.delete(All()) == 90
        writer.flush()
        assert store.count(All()) == 0

    def test_age_counts_from_when_an_event_was_stored(self, pair: PAIR) -> None:
        writer, store = pair
        import time

        writer.append(1, [{"@timestamp": 0, "event.id": event_id(1, 0), "message": "from 1970, read in today"}])
        writer.flush()
        now = time.time_ns() // 1000
        assert store.retain(184)["events"] == 0
        assert store.retain(184, now=now + 183 * DAY)["events"] == 0
        assert store.retain(184, now=now + 185 * DAY, dry_run=True)["events"] == 1
        assert store.count(All()) == 1
        assert store.retain(184, now=now + 185 * DAY)["events"] == 1
        assert store.count(All()) == 0


def _place(event: Event) -> tuple[Any, Any]:
    return event["@timestamp"], event["event.id"]
