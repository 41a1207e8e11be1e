"""The meaning of filters, fixed by hand: what the evaluators agree on must also be right."""

# ruff: noqa: E501 - tables are read by row

import pytest

from soc.model import Event
from soc.query import (
    All,
    And,
    Bucket,
    Cidr,
    Contains,
    DateHistogram,
    Exists,
    Filter,
    Not,
    Or,
    Prefix,
    Range,
    Regex,
    Stat,
    Term,
    Terms,
    TermsOf,
    Wildcard,
)
from soc.store.evaluate import aggregated, figure, matches

EVENT: Event = {
    "@timestamp": 1_763_900_000_000_000, "user.name": "Zhang.Wei", "source.ip": "10.2.3.4", "source.port": 443, "tags": ["Prod", "东区"],
    "soc.sample": False, "event.risk_score": 7.5, "message": "Failed password\nfor 张伟", "acme.count": "12", "acme.six": "2001:db8::7",
    "destination.ip": "::ffff:192.0.2.7", "file.path": "C:\\Temp\\a_b%.exe",
}  # fmt: skip


@pytest.mark.parametrize(("where", "expected"), [
    (Term("user.name", "zhang.wei"), True),
    (Term("user.name", "zhang"), False),  # the whole value
    (Term("source.port", "443"), True),
    (Term("source.port", "443.5"), False),
    (Term("acme.count", 12), True),  # a dynamic field is text: 12 is '12'
    (Term("acme.count", "012"), False),  # and '012' is another text
    (Term("soc.sample", "false"), True),
    (Term("soc.sample", 0), False),  # a number is no truth value
    (Term("tags", "prod"), True),
    (Term("tags", "prod,东区"), False),  # elements, not the list
    (Not(Term("nothing.here", "x")), True),  # missing is false, so NOT is true
    (Term("nothing.here", "None"), False),
    (Terms("source.port", (80, "443")), True),
    (Terms("source.port", ()), False),
    (Range("source.port", gte=443, lt=444), True),
    (Range("source.port", gt=443), False),
    (Range("source.port", gt=442.9), True),
    (Range("acme.count", gt=9), True),  # read as numbers; as text '12' < '9'
    (Range("user.name", gt=9), False),  # no number
    (Range("user.name", gte="z", lt="zi"), True),
    (Range("@timestamp", gte="2025-11-23T12:13:20Z"), True),
    (Range("@timestamp", gt="2025-11-23T12:13:20+00:00"), False),
    (Range("source.port"), True),  # without bounds: it exists
    (Range("nothing.here"), False),
    (Exists("tags"), True),
    (Exists("nothing.here"), False),
    (Prefix("user.name", "ZHANG"), True),
    (Prefix("source.port", "44"), True),
    (Prefix("event.risk_score", "7"), False),  # 7.5 has more than one way to be written
    (Contains("message", "PASSWORD"), True),
    (Contains(None, "张伟"), True),
    (Contains(None, "zhang.wei"), False),  # only the text of the event
    (Contains("tags", "东"), True),
    (Wildcard("file.path", "*\\A_B%.exe"), True),
    (Wildcard("file.path", "*\\a?b*"), True),
    (Wildcard("file.path", "*axb*"), False),  # _ is a letter like others
    (Wildcard("message", "*password*张?"), True),  # across the line feed; ? is one character, not one byte
    (Wildcard("message", "password*"), False),  # the whole value
    (Cidr("source.ip", "10.0.0.0/8"), True),
    (Cidr("source.ip", "10.2.3.5/31"), True),  # host bits are allowed
    (Cidr("source.ip", "10.2.3.5/32"), False),
    (Cidr("source.ip", "::/0"), False),  # IPv4 is not IPv6
    (Cidr("acme.six", "2001:db8::/32"), True),
    (Cidr("destination.ip", "192.0.2.0/24"), True),  # mapped
    (Regex("message", "(?m)^for"), True),
    (Regex("message", "^for"), False),
    (Regex("user.name", "^zhang"), True),
    (Regex("message", "Failed.password"), True),
    (Regex("message", "password.for"), False),  # a dot is not a line feed
    (All(), True), (And(()), True), (Or(()), False), (Not(All()), False),
    (And((Exists("tags"), Not(Exists("nothing.here")))), True),
    (Or((Exists("nothing.here"), Term("source.port", 443))), True),
])  # fmt: skip
def test_meaning(where: Filter, expected: bool) -> None:
    assert matches(where, EVENT) is expected


def test_a_terms_aggregation_counts_an_event_once_per_distinct_value() -> None:
    events: list[Event] = [{"tags": ["a", "b", "a"]}, {"tags": ["b"]}, {"tags": ["c"]}, {}]
    assert aggregated(events, TermsOf(("tags",), 2)) == [Bucket(("b",), 2), Bucket(("a",), 1)]


def test_a_terms_aggregation_of_two_fields_leaves_out_events_that_lack_one() -> None:
    events: list[Event] = [{"a": "1", "b": "2"}, {"a": "1"}, {"b": "2"}]
    assert aggregated(events, TermsOf(("a", "b"))) == [Bucket(("1", "2"), 1)]


def test_a_histogram_starts_its_buckets_at_multiples_of_the_interval_also_before_1970() -> None:
    events: list[Event] = [{"@timestamp": t} for t in (-1, 0, 9, 10)]
    assert aggregated(events, DateHistogram(10)) == [Bucket((-10,), 1), Bucket((0,), 2), Bucket((10,), 1)]


def test_a_split_histogram_counts_the_rest_under_none() -> None:
    events: list[Event] = [{"@timestamp": 1, "a": v} for v in "xxy"] + [{"@timestamp": 2}]
    assert aggregated(events, DateHistogram(10, by="a", size=1)) == [Bucket((0, "x"), 2), Bucket((0, None), 2)]


@pytest.mark.parametrize(("kind", "expected"), [("sum", 10.0), ("avg", 2.5), ("min", 1.0), ("max", 4.0), ("p50", 2.5), ("p99", 3.97)])
def test_figures(kind: str, expected: float) -> None:
    assert figure(kind, [4, 1, 3, 2]) == pytest.approx(expected)
    assert figure(kind, []) is None


def test_a_statistic_reads_numbers_from_dynamic_text() -> None:
    assert aggregated([{"acme.n": "5"}, {"acme.n": "five"}, {"acme.n": ["7", "x"]}], Stat("sum", "acme.n")) == 12.0
