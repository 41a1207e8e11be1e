"""A press on a value changes the query: what it adds, what it takes out, what it leaves."""

from __future__ import annotations

import pytest

from dashboards.pages.hunt import with_term
from soc.query import Value
from soc.query_text import parse_hunt
from soc.store.evaluate import matcher


@pytest.mark.parametrize(("text", "name", "value", "keep", "wanted"), [
    ("", "user.name", "li.na", True, "user.name:li.na"),
    ("host.name:a", "user.name", "li.na", True, "host.name:a user.name:li.na"),
    ("host.name:a user.name:li.na", "user.name", "li.na", True, "host.name:a user.name:li.na"),  # once is enough
    ("host.name:a user.name:li.na", "user.name", "li.na", False, "host.name:a -user.name:li.na"),  # the opposite goes
    ("user.name:li.na", "user.name", "li.na", False, "-user.name:li.na"),
    ("host.name:a | top 5 user.name", "user.name", "li.na", True, "host.name:a user.name:li.na | top 5 user.name"),
    ("", "source.port", 22, True, "source.port:22"),
])  # fmt: skip
def test_adding_a_statement(text: str, name: str, value: Value, keep: bool, wanted: str) -> None:
    assert parse_hunt(with_term(text, name, value, keep), 0) == parse_hunt(wanted, 0)


@pytest.mark.parametrize("value", ['a" OR b', "a b", "(", "a|b", "*", "\\", "药品 监管", "", "-x", "a:b"])
def test_whatever_a_value_holds_it_is_asked_for_as_it_is(value: str) -> None:
    for before in ("", "host.name:a", "host.name:a OR host.name:b", 'message:"a | b"', "host.name:a | top 3 user.name"):
        text = with_term(before, "user.name", value, True)
        test = matcher(parse_hunt(text, 0).where)
        event: dict[str, object] = {"host.name": "a", "message": "a | b", "user.name": value}
        assert test(event) is True
        assert not test(event | {"user.name": "somebody else"}) or value == ""
        assert parse_hunt(text, 0).top == parse_hunt(before, 0).top
