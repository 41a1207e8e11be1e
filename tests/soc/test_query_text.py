"""The query language as people type it."""

# ruff: noqa: E501 - tables are read by row

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.errors import QueryError
from soc.query import All, And, Cidr, Contains, Exists, Filter, Not, Or, Range, Regex, Term, TermsOf, Wildcard
from soc.query_text import Hunt, parse, parse_hunt, to_text
from soc.store.evaluate import matcher
from soc.store.fitting import fitted
from tests.contracts.store_contract import FILTERS, TREES, world

NOW = 1_763_900_000_000_000
HOUR = 3_600_000_000
EVENTS = [fitted(event) for event in world(300)]


@pytest.mark.parametrize(("text", "expected"), [
    ("", All()), ("  \u3000 ", All()),
    ("failed", Contains(None, "failed")), ('"two words"', Contains(None, "two words")), ("导出 张伟", And((Contains(None, "导出"), Contains(None, "张伟")))),
    ("user.name:root", Term("user.name", "root")), ('user.name:"张 伟"', Term("user.name", "张 伟")), ("source.port:22", Term("source.port", "22")),
    ("user.name:张*", Wildcard("user.name", "张*")), ("user.name:r??t", Wildcard("user.name", "r??t")), ("user.name:*", Exists("user.name")),
    (r"user.name:a\*", Term("user.name", "a*")),  # an escaped star is a star
    (r"user.name:a\*b*", Regex("user.name", r"(?s)^a\*b.*$")), (r"user.name:\*", Term("user.name", "*")),
    ("source.ip:10.0.0.0/8", Cidr("source.ip", "10.0.0.0/8")), ("source.ip:2001:db8::/32", Cidr("source.ip", "2001:db8::/32")),
    ('source.ip:"10.0.0.0/8"', Term("source.ip", "10.0.0.0/8")),  # quoted: the text itself
    ("url.path:/api.v1/", Regex("url.path", "api.v1")),
    (r"url.path:/a\/b\d/", Regex("url.path", r"a/b\d")), ('url.path:"/api/v1"', Term("url.path", "/api/v1")),
    ("source.port:>=1024", Range("source.port", gte="1024")), ("source.port:<5", Range("source.port", lt="5")),
    ("source.port:[1 TO 9]", Range("source.port", gte="1", lte="9")), ("source.port:{1 TO *]", Range("source.port", gt="1")),
    ("acme.n:>=2.5", Range("acme.n", gte="2.5")), ("@timestamp:>now-1h", Range("@timestamp", gt=NOW - HOUR)), ("@timestamp:<=now", Range("@timestamp", lte=NOW)),
    ("@timestamp:>=2026-01-01", Range("@timestamp", gte=1_767_225_600_000_000)), ("@timestamp:>=2026-01-01T08:00:00+08:00", Range("@timestamp", gte=1_767_225_600_000_000)),
    ("a OR b c", Or((Contains(None, "a"), And((Contains(None, "b"), Contains(None, "c")))))),
    ("a AND b OR c", Or((And((Contains(None, "a"), Contains(None, "b"))), Contains(None, "c")))),
    ("(a OR b) c", And((Or((Contains(None, "a"), Contains(None, "b"))), Contains(None, "c")))),
    ("NOT a b", And((Not(Contains(None, "a")), Contains(None, "b")))), ("-a", Not(Contains(None, "a"))), ("NOT NOT a", Contains(None, "a")),
    ("a -user.name:root", And((Contains(None, "a"), Not(Term("user.name", "root"))))), ("NOT (a b)", Not(And((Contains(None, "a"), Contains(None, "b"))))),
    ("user.name:(root OR admin)", Or((Term("user.name", "root"), Term("user.name", "admin")))),
    ("user.name:(a* -ab)", And((Wildcard("user.name", "a*"), Not(Term("user.name", "ab"))))),
    ("fail*", Or((Wildcard("message", "*fail**"), Wildcard("event.original", "*fail**")))),
    ("or and not", And((Contains(None, "or"), Contains(None, "and"), Contains(None, "not")))),  # operators are capitals
    ("ORDER", Contains(None, "ORDER")), (r"a\:b", Contains(None, "a:b")), (r'"a\"b"', Contains(None, 'a"b')), ("a-b", Contains(None, "a-b")),
    ("user.name:-x", Term("user.name", "-x")), ("event.outcome:failure AND NOT user.name:*", And((Term("event.outcome", "failure"), Not(Exists("user.name"))))),
])  # fmt: skip
def test_what_a_text_means(text: str, expected: Filter) -> None:
    assert parse(text, NOW) == expected


@pytest.mark.parametrize(("text", "position", "says"), [
    ("(a", 0, "not closed"), ("a)", 1, "closes nothing"), ("user.name:", 10, "missing"), ('a "b', 2, "quotation"), ("x:/a", 2, "regular expression"),
    ("a AND", 5, "missing"), ("OR a", 0, "missing"), ("a OR OR b", 5, "missing"), ("NOT", 3, "missing"), ("()", 1, "missing"), ("-", 1, "missing"),
    ("source.port:ssh", 12, "type long"), ("source.port:>x", 13, "number"), ("@timestamp:>yesterday", 12, "time such as"),
    ("source.port:[1 9]", 12, "TO"), ("source.port:[1 TO 9", 12, "not closed"), ("source.port:>", 13, "missing"), ("x:[ TO 1]", 2, "TO high"),
    ("us*r:x", 0, "field name"), (":x", 0, "field name is missing"), ("user.nmae:x", 0, "did you mean user.name"), ("zzz:x", 0, "no event has"),
    ("a | b", 2, "not expected"), ("(" * 61 + "a" + ")" * 61, 61, "60 parentheses"), ("a" * 10_001, 10_000, "10000 characters"),
])  # fmt: skip
def test_an_error_names_the_place(text: str, position: int, says: str) -> None:
    known = ["user.name", "source.port", "@timestamp", "x"]
    with pytest.raises(QueryError, match=says) as error:
        parse(text, NOW, known)
    assert error.value.position == position


@pytest.mark.parametrize(("text", "expected"), [
    ("user.name:root", Hunt(Term("user.name", "root"))),
    ("user.name:root | top 20 source.ip", Hunt(Term("user.name", "root"), TermsOf(("source.ip",), 20))),
    ("| top user.name, source.ip", Hunt(All(), TermsOf(("user.name", "source.ip"), 10))),
    ('"a | b"', Hunt(Contains(None, "a | b"))), (r"a\|b", Hunt(Contains(None, "a|b"))), ("x:/a|b/", Hunt(Regex("x", "a|b"))),
])  # fmt: skip
def test_a_hunt_may_count(text: str, expected: Hunt) -> None:
    assert parse_hunt(text, NOW) == expected


@pytest.mark.parametrize(("text", "position"), [("a | bottom 5 x", 3), ("a | top 5", 8), ("a | top 5 usr", 10), ("a | top 5 x,", 12)])
def test_a_hunt_that_counts_nothing_known(text: str, position: int) -> None:
    with pytest.raises(QueryError) as error:
        parse_hunt(text, NOW, ["x", "user"])
    assert error.value.position is not None
    assert error.value.position <= position


def same_meaning(where: Filter) -> None:
    again = matcher(parse(to_text(where), NOW))
    test = matcher(where)
    assert [again(event) for event in EVENTS] == [test(event) for event in EVENTS], to_text(where)


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_every_filter_can_be_written(where: Filter) -> None:
    same_meaning(where)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_any_filter_can_be_written(where: Filter) -> None:
    same_meaning(where)


@given(st.text(alphabet='ab:*?"()[]{}<>=/\\|-! \tANDORTO\0é张', max_size=25))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_filter_or_a_query_error(text: str) -> None:
    try:
        where = parse_hunt(text, NOW).where
    except QueryError:
        return
    try:
        same_meaning(where)
    except QueryError as error:
        assert "RE2" in str(error)
