"""Each page, drawn for each role in each language from real stores: it draws, and says nothing untranslated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plotly.io.json import to_json_plotly

from dashboards.i18n import LANGUAGES, catalogue
from identity.roles import PERMISSIONS, ROLES
from soc.registry import scan
from tests.dashboards.conftest import Look
from tests.dashboards.worlds import EVIL, World

PAGES = scan("dashboards.pages")
VIEWS = {
    "overview": [("", ""), ("?t=7d", ""), ("?t=1h&bogus=1", "")],
    "alerts": [("", ""), ("?sev=high,critical&t=30d", ""), ("?q=nothing-has-this", ""), ("?st=closed", "")],
    "incidents": [("", ""), ("", "1"), ("", "99999"), ("", "x")],
    "hunt": [
        ("", ""), ("?q=user.name:li.na", ""), ("?q=user.name:(a", ""), ("?q=* | top 5 host.name, user.name", ""),
        ("?q=no.such.field:1", ""), ("?q=process.pid:7", ""), ("?sel=nothing", ""),
    ],
    "sources": [("", "")],
}  # fmt: skip


def test_every_page_loads_and_says_who_may_see_it() -> None:
    assert not PAGES.broken
    assert set(VIEWS) == set(PAGES.modules)
    for page in PAGES.modules.values():
        assert page.permission in PERMISSIONS
        assert page.__doc__


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "search", "rest"), [(name, *view) for name, views in VIEWS.items() for view in views])
def test_a_page_draws_for_whoever_may_see_it(look: Look, name: str, search: str, rest: str, language: str) -> None:
    page = PAGES.modules[name]
    for role in ROLES:
        ctx = look(role, search, rest, language)
        if ctx.may(page.permission):
            drawn = to_json_plotly(page.layout(ctx))
            assert len(drawn) > 500


def test_what_an_attacker_wrote_stays_text(look: Look, soc: World) -> None:
    assert any(EVIL in row.alert.summary for row in soc.services.cases.alerts(limit=100))
    for name in PAGES.modules:
        drawn = to_json_plotly(PAGES.modules[name].layout(look()))
        assert "dangerously_allow_html" not in drawn


def test_both_languages_have_the_same_keys_and_every_key_in_the_code() -> None:
    zh, en = catalogue("zh"), catalogue("en")
    rules = {key for key in zh if " " in key}
    assert set(zh) - rules == set(en) - {key for key in en if " " in key}
    code = "".join(path.read_text(encoding="utf-8") for path in Path("dashboards").rglob("*.py"))
    used = set(re.findall(r'ctx\.t\("([a-z0-9_]+)"', code)) | set(re.findall(r'empty\(ctx, "([a-z_]+)"', code))
    assert used
    assert used - set(zh) == set()


def test_placeholders_are_the_same_in_both_languages() -> None:
    zh, en = catalogue("zh"), catalogue("en")
    for key in set(zh) & set(en):
        assert set(re.findall(r"{(\w+)}", zh[key])) == set(re.findall(r"{(\w+)}", en[key])), key
