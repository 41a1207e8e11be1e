"""Chromium: the first screen, the sample, both languages, both schemes, keyboard, accessibility; nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.dashboards.worlds import PASSWORD, World, world
from tests.e2e.browser import Browser, chromium, expect
from tests.servers import wait_for


def sign_in(browser: Browser) -> None:
    browser.go("/")
    browser.page.fill("input[name=name]", "admin")
    browser.page.fill("input[name=password]", PASSWORD)
    browser.page.click("button[type=submit]")
    expect(browser.page.locator(".s-shell")).to_be_visible()


def test_the_empty_overview_offers_the_sample(tmp_path: Path) -> None:
    with world(tmp_path, filled=False) as soc, chromium(soc.url) as browser:
        sign_in(browser)
        browser.page.click("#sample-load")
        wait_for(lambda: soc.sample.loaded, 15)


def test_words_scheme_and_keys(soc: World) -> None:
    with chromium(soc.url) as browser:
        sign_in(browser)
        page = browser.page
        expect(page.locator("h1")).to_have_text("态势总览")
        page.click("text=English")
        expect(page.locator("h1")).to_have_text("Overview")
        page.keyboard.press("g")
        page.keyboard.press("a")
        expect(page.locator("h1")).to_have_text("Alerts")
        page.wait_for_selector("#alerts-grid .ag-row")
        page.keyboard.press("j")
        expect(page.locator("#alerts-pane h2").first).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("h")
        page.fill("#hunt-q", "host.name:db-01")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{browser.address}/hunt?q=host.name:db-01")
        page.wait_for_selector("#hunt-grid .ag-row")
        page.locator("#hunt-grid .ag-cell").first.click()
        expect(page.locator("#hunt-pane")).to_be_visible()
        page.locator("#hunt-pane .s-tiny").first.click()
        expect(page).to_have_url(re.compile(r"q=host\.name:db-01%20"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/alerts", "/incidents/1", "/hunt", "/sources"])
def test_axe_has_nothing_grave_to_say(soc: World, path: str, scheme: str) -> None:
    with chromium(soc.url, scheme=scheme) as browser:
        sign_in(browser)
        browser.go(path)
        expect(browser.page.locator("h1").first).to_be_visible()
        browser.page.wait_for_timeout(700)
        found = Axe().run(browser.page).response["violations"]
        grave = [(one["id"], one["nodes"][0]["html"][:160]) for one in found if one["impact"] in ("serious", "critical")]
        assert not grave
