"""CEF: escapes, doubled keys, and what follows nothing."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "0|Example|IPS|1.0|100|SQL injection|8|src=192.0.2.7 dst=198.51.100.1 dpt=443 act=blocked",
            {
                "observer.vendor": "Example",
                "rule.name": "SQL injection",
                "event.severity": 8,
                "source.ip": "192.0.2.7",
                "destination.port": 443,
                "event.outcome": "failure",
            },
        ),
        ("0|Example|IPS|1.0|100|a\\|b|8|src=192.0.2.7 msg=x src\\=203.0.113.1", {"rule.name": "a|b", "source.ip": "192.0.2.7"}),
        ("0|Example|IPS|1.0|100|x|8|src=192.0.2.7 msg=hi src=203.0.113.1", {"source.ip": "192.0.2.7"}),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("CEF", body), "cef", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "0|Example|IPS",
        "not CEF at all",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("CEF", body), "cef")
