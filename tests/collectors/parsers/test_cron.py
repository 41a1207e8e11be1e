"""cron: which commands ran by themselves."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "(root) CMD (/usr/bin/true)",
            {"event.action": "cron_command", "user.name": "root", "process.command_line": "/usr/bin/true"},
        ),
        ('(root) CMD (echo ") CMD (evil)")', {"process.command_line": 'echo ") CMD (evil)"'}),
        ("(www-data) REPLACE (www-data)", {"event.action": "crontab_replaced", "user.name": "www-data"}),
        ("(root) RELOAD (crontabs/root)", {"event.action": "cron_reload", "file.path": "crontabs/root"}),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("CRON[9]", body), "cron", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "(root) CMD /usr/bin/true",
        "root CMD (x)",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("CRON[9]", body), "cron")
