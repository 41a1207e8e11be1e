"""Texts of the pages: gettext catalogues, one folder a language, keys in English snake case.

Titles of rules are keys too (`rules.po`): English is what the rule says. The `.po` files are read as they are, so there is
nothing to compile after a change. A key without a text shows itself, and a test walks the code for keys that a language lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES = ("zh", "en")
DEFAULT = "zh"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Key -> text, of every file of the language."""
    texts: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / language).glob("*.po")):
        with path.open("rb") as file:
            texts |= {str(one.id): str(one.string) for one in read_po(file) if one.id and one.string}
    return texts


def translate(language: str, key: str, **values: object) -> str:
    """The text with its {placeholders} filled."""
    text = catalogue(language).get(key, key)
    return text.format(**values) if values else text
