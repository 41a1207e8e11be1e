"""The whole journey on real input: sshd, sudo, nginx and rsyslogd write, one incident holds what it means, a person closes it.

One rsyslogd takes what the programs of its machine log and forwards it over TCP; a second one, of the web server's machine, over
mutual TLS. sshd's lines go into rsyslogd's socket as sshd writes them; sudo logs through /dev/log, which is that socket.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.collectors.certificates import Authority
from tests.e2e.browser import chromium, expect
from tests.e2e.running import Running, running, wait_for
from tests.servers import REQUIRED, need
from tests.servers.nginx import nginx
from tests.servers.rsyslog import Rsyslogd, Trust, rsyslogd
from tests.servers.sshd import Sshd, sshd

GUESSED, GOT_IN = "Many SSH failures from one address", "SSH sign-in after repeated failures"
SHELL, SCAN = "A root shell through sudo", "A web site is being scanned"


def test_from_real_programs_to_a_closed_incident(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("soc.example"), authority.issue("web.example")
    settings = {
        "SOC_COLLECTORS__SYSLOG__LISTEN": "udp://127.0.0.1:0,tcp://127.0.0.1:0,tls://127.0.0.1:0",
        "SOC_COLLECTORS__SYSLOG__TLS_CERTIFICATE": str(ours.certificate),
        "SOC_COLLECTORS__SYSLOG__TLS_KEY": str(ours.key),
        "SOC_COLLECTORS__SYSLOG__TLS_CLIENT_CA": str(authority.certificate),
        "SOC_STORE__FLUSH_SECS": "1",
    }
    for name in ("here", "web", "ssh", "nginx"):
        (tmp_path / name).mkdir()
    trust = Trust(authority.certificate, theirs.certificate, theirs.key, "soc.example")
    with (
        running(tmp_path / "home", settings) as soc,
        rsyslogd(tmp_path / "here", tcp=soc.address("syslog.tcp")[1]) as here,
        rsyslogd(tmp_path / "web", tls=soc.address("syslog.tls")[1], trust=trust) as web,
        sshd(tmp_path / "ssh") as ssh,
    ):
        _guess_and_get_in(ssh, here)
        is_real_sudo = _become_root(here)
        assert is_real_sudo or not os.environ.get(REQUIRED), "/dev/log is somebody else's: sudo cannot be heard"
        with nginx(tmp_path / "nginx", web.udp) as site:
            _scan(site.url)
        wanted = {GUESSED, GOT_IN, SCAN} | ({SHELL} if is_real_sudo else set())
        alerts = _alerts(soc, wanted)
        assert len({row["incident"] for row in alerts if row["title"] in wanted}) == 1, alerts
        incident = next(row["incident"] for row in alerts if row["title"] == GOT_IN)
        _work_on_it(soc, int(incident), tmp_path)
        total = soc.ledger()["total"]
        assert total["balances"]
        assert total["dropped"] == total["quarantined"] == 0
        _chain_holds_until_one_byte_changes(soc, tmp_path)


def _guess_and_get_in(ssh: Sshd, here: Rsyslogd) -> None:
    """Ten refused, then one let in; each line of sshd's goes on as syslog(3) would send it."""
    for _ in range(10):
        assert ssh.log_in(key="stranger") == 255
    assert ssh.log_in() == 0
    wait_for(lambda: any("Accepted publickey" in line for line in ssh.lines()))
    for line in ssh.lines():
        here.log(f"<86>sshd[4711]: {line}")


@contextmanager
def _dev_log(here: Rsyslogd) -> Iterator[bool]:
    """Make /dev/log rsyslogd's socket where that does no harm: as root, on a machine that has none."""
    place = Path("/dev/log")
    if os.geteuid() != 0 or place.exists() or place.is_symlink():
        yield False
        return
    place.symlink_to(here.socket)
    try:
        yield True
    finally:
        place.unlink()


def _become_root(here: Rsyslogd) -> bool:
    """A shell as root through the real sudo. False where /dev/log belongs to somebody else: then nobody says that it was."""
    program = need("sudo", "sudo")
    with _dev_log(here) as is_ours:
        if not is_ours:
            return False
        subprocess.run([program, "-n", "-u", "root", shutil.which("sh") or "/bin/sh", "-c", "true"], check=True, timeout=30)
        return True


def _scan(url: str) -> None:
    def ask(number: int) -> None:
        try:
            urlopen(f"{url}/old/{number}.php", timeout=10).close()
        except HTTPError as answer:
            assert answer.code == 404

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(35)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _alerts(soc: Running, wanted: set[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def are_there() -> bool:
        nonlocal rows
        rows = soc.rows("alerts", "list")
        return wanted <= {str(row["title"]) for row in rows}

    wait_for(are_there, 60, lambda: f"wanted {wanted}, have {rows}")
    return rows


def _work_on_it(soc: Running, incident: int, folder: Path) -> None:
    """What a responder does with it, in Chromium and in Chinese."""
    assert soc.password_file is not None
    with chromium(soc.pages) as browser:
        page = browser.page
        browser.sign_in_first(soc.password_file.read_text().strip())
        assert not soc.password_file.exists(), "the one-time password outlives its use"
        page.click("nav >> text=事件处置")
        page.click(f"text=INC-{incident:05d}")
        for title in ("同一地址多次 SSH 登录失败", "多次失败后 SSH 登录成功", "网站被扫描"):
            expect(page.locator("#incident-body").get_by_text(title).first).to_be_visible()
        page.fill("#incident-text", "堡垒机被猜测口令，来源 127.0.0.1，已隔离。")
        page.click("#incident-comment")
        expect(page.locator("#incident-body").get_by_text("已隔离").first).to_be_visible()
        page.click("text=认领")
        expect(page.locator("#incident-body").get_by_text("负责人改为 admin").first).to_be_visible()
        page.click("text=转为“响应处置”")
        expect(page.get_by_text("状态 监测发现 → 响应处置").first).to_be_visible()
        page.fill("#incident-text", "确认为攻击，口令已重置。")
        page.click("#incident-verdict")
        page.get_by_role("option").first.click()
        page.click("#incident-close")
        expect(page.get_by_text("总结归档").last).to_be_visible()
        wait_for(lambda: soc.rows("incidents", "show", str(incident))[0]["status"] == "closed", 20)
        browser.shot(folder / "closed.png")
    shown = soc.rows("incidents", "show", str(incident))[0]
    assert shown["owner"] == "admin"
    assert shown["verdict"]


def _chain_holds_until_one_byte_changes(soc: Running, folder: Path) -> None:
    assert "records, unbroken" in soc.soc("audit", "verify")
    copy = folder / "copy"
    shutil.copytree(soc.home, copy, ignore=shutil.ignore_patterns("*.sock", "run"))
    (copy / "run").mkdir()
    database = next((copy / "cases").glob("*.db"))
    with sqlite3.connect(database) as connection:
        (number,) = connection.execute("select max(seq) from audit where object like 'incident%'").fetchone()
        connection.execute("update audit set object = replace(object, 'incident', 'incidens') where seq = ?", (number,))
    environment = soc.environment | {"SOC_HOME": str(copy)}
    command = [sys.executable, "-m", "soc", "audit", "verify"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode != 0, said.stdout
    assert str(number) in said.stdout + said.stderr
