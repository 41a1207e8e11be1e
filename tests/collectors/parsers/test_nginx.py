"""nginx: the client's texts end at their own quotes."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            '192.0.2.7 - - [24/Nov/2026:11:59:58 +0000] "GET /a?b=1 HTTP/1.1" 200 153 "-" "curl/8"',
            {
                "event.action": "http_request",
                "event.outcome": "success",
                "source.ip": "192.0.2.7",
                "http.request.method": "GET",
                "url.path": "/a",
                "url.query": "b=1",
                "http.response.status_code": 200,
                "http.response.body.bytes": 153,
                "user_agent.original": "curl/8",
            },
        ),
        (
            '192.0.2.7 - li.na [24/Nov/2026:11:59:58 +0000] "POST / HTTP/1.1" 500 0 "-" "x"',
            {"event.outcome": "failure", "user.name": "li.na", "http.response.status_code": 500},
        ),
        (
            '192.0.2.7 - - [24/Nov/2026:11:59:58 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"',
            {"http.response.status_code": 400, "event.outcome": "failure"},
        ),
        (
            '192.0.2.7 - - [24/Nov/2026:11:59:58 +0000] "GET / HTTP/1.1" 404 0 "-" "\\x22 200 0 \\x22-\\x22 \\x22x"',
            {"http.response.status_code": 404, "source.ip": "192.0.2.7"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("nginx", body), "nginx", wanted)


@pytest.mark.parametrize(
    "body",
    [
        '192.0.2.7 "GET / HTTP/1.1" 200',
        "hello",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("nginx", body), "nginx")
