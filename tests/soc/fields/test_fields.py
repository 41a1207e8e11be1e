"""The catalogue: one name, one type; what does not fit is left out rather than stored wrong."""

import csv
from pathlib import Path

import pytest

from soc import fields

ROWS: list[tuple[str, object, object]] = [
    ("source.port", "22", 22),
    ("source.port", 22.0, 22),
    ("source.port", "ssh", None),  # no number
    ("source.port", True, 1),
    ("event.duration", "12", 12),
    ("process.interactive", "TRUE", True),
    ("process.interactive", "maybe", None),
    ("@timestamp", "2023-11-14T22:13:20Z", 1_700_000_000_000_000),
    ("@timestamp", 1_700_000_000_000_000, 1_700_000_000_000_000),
    ("@timestamp", "soon", None),
    ("event.category", "web", ["web"]),  # always a list
    ("event.category", ["web", None, 3], ["web", "3"]),
    ("user.name", ["li.na", "zhao"], ["li.na", "zhao"]),  # text may be many
    ("source.port", [22, 23], 22),  # a port is one
    ("source.port", [], None),
    ("some.thing", 22, "22"),  # nobody declared it: text
    ("some.thing", True, "true"),
    ("some.thing", {"a": 1}, None),  # never nested
    ("some.thing", None, None),
]


@pytest.mark.parametrize(("name", "value", "fitted"), ROWS)
def test_fit(name: str, value: object, fitted: object) -> None:
    result = fields.fit(name, value)
    assert result == fitted
    assert type(result) is type(fitted)


def test_no_name_is_declared_twice() -> None:
    folder = Path(fields.__file__).parent
    names = [row["field"] for file in ("ecs.csv", "own.csv") for row in csv.DictReader((folder / file).read_text().splitlines())]
    assert len(names) == len(set(names))


def test_our_own_names_stand_in_our_own_namespaces() -> None:
    folder = Path(fields.__file__).parent
    for row in csv.DictReader((folder / "own.csv").read_text().splitlines()):
        assert row["type"] in fields.TEXT | fields.WHOLE | fields.REAL | {"boolean", "date"}, row
        assert row["array"] in ("0", "1")


SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "ecs" / "fields.csv"


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/ecs/fields.csv is not beside this checkout")
def test_types_are_those_of_the_standard() -> None:
    """The reference list is of a newer draft: what both have must agree, but for the few types the draft changed."""
    ours = fields.catalogue()
    differing = {
        row["Field"]: (row["Type"], ours[row["Field"]][0])
        for row in csv.DictReader(SHARED.read_text(encoding="utf-8").splitlines())
        if row["Field"] in ours and ours[row["Field"]][0] != row["Type"]
    }
    assert len(differing) <= 5, differing
