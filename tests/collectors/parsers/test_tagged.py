"""Events that name their Sigma log source."""

from __future__ import annotations

from tests.collectors.parsers.rows import read, well_typed


def test_names_come_from_the_table_of_the_log_source() -> None:
    (event,) = read(
        {
            "logsource_category": "webserver",
            "cs-method": "GET",
            "cs-uri-query": "/a?b",
            "sc-status": 404,
            "odd": 7,
            "hostname": "web-1",
        },
        format_="json",
    )
    assert event["event.dataset"] == "sigma.webserver.-.-"
    assert (event["http.request.method"], event["url.original"], event["http.response.status_code"]) == ("GET", "/a?b", 404)
    assert (event["http.odd"], event["host.name"]) == ("7", "web-1")
    well_typed(event)


def test_windows_is_not_tagged_and_a_tag_must_be_text() -> None:
    for given in ({"logsource_product": "windows", "Channel": "Security", "EventID": 1}, {"logsource_product": 7, "x": 1}):
        assert not str(read(given, format_="json")[0]["event.dataset"]).startswith("sigma.")
