"""What must stand in a value: necessary always, exact only where it is enough."""

import re

import pytest

from detections.sigma.ir import MANY, ONE, Predicate
from detections.sigma.needles import Needle, Regex, needles_of, required

S = "\x1f"


@pytest.mark.parametrize(("one", "needles"), [
    (Predicate("f", "is", ("abc",)), (Needle(f"{S}abc{S}", True),)),
    (Predicate("f", "is", ("abc", MANY)), (Needle(f"{S}abc", True),)),
    (Predicate("f", "is", (MANY, "abc")), (Needle(f"abc{S}", True),)),
    (Predicate("f", "is", (MANY, "abc", MANY)), (Needle("abc", True),)),
    (Predicate("f", "is", ("a", MANY, "long", MANY)), (Needle("long", False),)),
    (Predicate("f", "is", ("abc", ONE)), (Needle(f"{S}abc", False),)),
    (Predicate("f", "is", ()), (Needle(S + S, True),)),
    (Predicate("f", "is", (MANY,)), ()),
    (Predicate("f", "is", ("a\x1fb",)), ()),  # a separator cannot be looked for
    (Predicate("f", "cased", ("Abc",)), (Needle(f"{S}abc{S}", False),)),
    (Predicate(None, "is", ("abc",)), (Needle("abc", False),)),
    (Predicate("f", "re", ("foo|bar", "")), (Needle("bar", False), Needle("foo", False))),
    (Predicate("f", "re", ("[0-9]+", "")), (Needle(Regex("[0-9]+", ""), False),)),
    (Predicate("message", "re", ("foo", "")), (Needle(Regex("foo", ""), False),)),  # long texts: the regex itself
    (Predicate(None, "re", ("[0-9]+", "")), ()),
    (Predicate("f", "null"), ()),
    (Predicate("f", "compare", ("lt", 1.0)), ()),
])  # fmt: skip
def test_needles(one: Predicate, needles: tuple[Needle, ...]) -> None:
    assert needles_of(one) == needles


@pytest.mark.parametrize(("regex", "texts", "example"), [
    ("abc.*defg", {"defg"}, "abcdefg"),
    ("(abc|defg)x*", {"abc", "defg"}, "abc"),
    ("(abc)+", {"abc"}, "abcabc"),
    ("(abc)*", None, ""),
    ("ab?c", None, "ac"),
    ("(foo|b)", None, "b"),  # two letters are too few
    ("^HKLM.Soft", {"HKLM", "Soft"}, "HKLM\\Soft"),
    ("(?i)abc", {"abc"}, "ABC"),
    ("\\pN+", None, ""),  # RE2's own spelling
])  # fmt: skip
def test_texts_that_a_match_must_contain(regex: str, texts: set[str] | None, example: str) -> None:
    found = required(regex)
    if texts is None:
        assert found is None
    else:
        assert found is not None
        assert found <= texts
        assert any(text.lower() in example.lower() for text in found)
        assert re.search(regex, example)
