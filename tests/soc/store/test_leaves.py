"""What filter values mean for a field's type."""

# ruff: noqa: E501 - tables are read by row

import sys

import pytest

from soc.errors import QueryError
from soc.query import Range, Value
from soc.store.leaves import Bounds, bounds, compiled, compiled_glob, fold, lies_in, network, number, pattern, term


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("user.name", "ROOT", "root"), ("user.name", 5, "5"), ("source.port", "22", 22), ("source.port", "x", None),
    ("soc.sample", "True", True), ("event.risk_score", "1", 1.0), ("@timestamp", "1970-01-01T00:00:01Z", 1_000_000),
])  # fmt: skip
def test_a_term_as_its_field_compares_it(name: str, value: Value, expected: object) -> None:
    assert term(name, value) == expected


def test_folding_keeps_the_number_of_characters() -> None:
    every = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF)
    assert len(fold(every)) == len(every)
    assert (fold("ÄΣİ张"), fold("ς")) == ("äσi张", "ς")


@pytest.mark.parametrize(("text", "expected"), [
    ("7", 7.0), ("-1.5e3", -1500.0), (".5", 0.5), ("5.", 5.0), ("+1", 1.0),
    ("", None), (" 5", None), ("1_000", None), ("９", None), ("inf", None), ("nan", None), ("0x10", None), ("1e999", None),
    ("1" * 65, None),  # longer than any number people write
])  # fmt: skip
def test_numbers_in_texts(text: str, expected: float | None) -> None:
    assert number(text) == expected


@pytest.mark.parametrize(("leaf", "expected"), [
    (Range("source.port", gt=1.5), Bounds(((">=", 2),))),
    (Range("source.port", lt=1.5), Bounds((("<=", 1),))),
    (Range("source.port", lt=2**80), Bounds((("<=", 2**63 - 1),))),
    (Range("source.port", gte=2**80), Bounds((("<", -(2**63)),))),  # never
    (Range("source.port", gte="x"), None),
    (Range("user.name", gte="5", lt="b"), Bounds(((">=", 5.0),), (("<", "b"),))),
    (Range("event.risk_score", gte=10**400), None),
    (Range("soc.sample", gte=True), None),
    (Range("tags"), Bounds()),
])  # fmt: skip
def test_bounds(leaf: Range, expected: Bounds | None) -> None:
    assert bounds(leaf) == expected


@pytest.mark.parametrize(("address", "net", "expected"), [
    ("10.1.2.3", "10.0.0.0/8", True), ("11.1.2.3", "10.0.0.0/8", False), ("010.1.2.3", "10.0.0.0/8", False), ("10.1.2", "10.0.0.0/8", False),
    ("::FFFF:10.1.2.3", "10.0.0.0/8", True), ("::ffff:0a01:0203", "10.0.0.0/8", False),  # mapped, but in another writing: said in docs
    ("2001:DB8::1", "2001:db8::/32", True), ("fe80::1%eth0", "fe80::/10", True), ("", "0.0.0.0/0", False), ("10.1.2.3", "::/0", False),
])  # fmt: skip
def test_addresses(address: str, net: str, expected: bool) -> None:
    assert lies_in(address, network(net)) is expected


@pytest.mark.parametrize("text", ["(", r"(a)\1", "a)(b", "x" * 1001, "a{1000}{1000}", "\ud800"])
def test_a_regular_expression_that_is_none(text: str) -> None:
    with pytest.raises(QueryError):
        pattern(text)


def test_a_catastrophic_pattern_is_linear() -> None:
    assert compiled("(a+)+$").search("a" * 50_000 + "!") is None
    assert compiled_glob("*" + "a*" * 200 + "z").fullmatch("a" * 50_000) is None
