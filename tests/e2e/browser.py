"""A real Chromium, looking at the pages as a person does. Complaints of the page and requests to elsewhere fail the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, expect, sync_playwright

from tests.servers import need

__all__ = ["PASSWORD", "Browser", "chromium", "expect"]

PASSWORD = "an evening of plain tea"
expect.set_options(timeout=15_000)


@dataclass
class Browser:
    """One page of one person, and what went wrong in it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def shot(self, path: Path) -> None:
        self.page.screenshot(path=str(path))

    def sign_in_first(self, one_time: str) -> None:
        """Sign in as the first administrator and choose a password, as the one-time password demands."""
        self.go("/")
        self.page.fill("input[name=name]", "admin")
        self.page.fill("input[name=password]", one_time)
        self.page.click("button[type=submit]")
        self.page.fill("input[name=old]", one_time)
        self.page.fill("input[name=new]", PASSWORD)
        self.page.fill("input[name=again]", PASSWORD)
        self.page.click("button[type=submit]")
        expect(self.page.locator(".s-shell")).to_be_visible()


@contextmanager
def chromium(address: str, width: int = 1440, height: int = 900, scheme: str = "light") -> Iterator[Browser]:
    """Chromium at this size; on leaving, it must have had nothing to complain of."""
    program = need("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="zh-CN", color_scheme="dark" if scheme == "dark" else "light"
        )
        made = Browser(context.new_page(), address.rstrip("/"))
        made.page.on("pageerror", lambda error: made.complaints.append(f"error: {error}"))
        made.page.on("console", lambda said: made.complaints.append(said.text) if said.type == "error" else None)
        made.page.on("request", lambda asked: _watch(made, asked))
        yield made
        browser.close()
    assert not made.complaints, made.complaints


def _watch(browser: Browser, asked: Request) -> None:
    if asked.url.startswith("http") and urlsplit(asked.url).netloc != urlsplit(browser.address).netloc:
        browser.complaints.append(f"asks somebody else: {asked.url}")
