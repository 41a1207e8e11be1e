"""Apache: its error format, and access lines under its own name."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            '192.0.2.7 - - [24/Nov/2026:11:59:58 +0000] "GET / HTTP/1.1" 403 199',
            {"event.action": "http_request", "http.response.status_code": 403, "source.ip": "192.0.2.7"},
        ),
        (
            "[Tue Nov 24 11:59:58.123456 2026] [core:error] [pid 77] [client 192.0.2.7:4711] AH00126: Invalid URI in request",
            {
                "event.action": "http_error",
                "source.ip": "192.0.2.7",
                "source.port": 4711,
                "error.code": "AH00126",
                "log.level": "error",
            },
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("apache2", body), "apache", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "[Tue Nov 24] what",
        "nothing",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("apache2", body), "apache")
