"""Each real server starts, does the thing tests want it for, and what it wrote becomes events."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from collectors.decode import BatchDecoder
from collectors.parsers import sshd as parser
from collectors.reading import records
from soc.model import Event, LoggedBatch, RawBatch, now
from tests.servers import REQUIRED, need, wait_for
from tests.servers.nginx import nginx
from tests.servers.postgresql import postgresql
from tests.servers.rsyslog import rsyslogd
from tests.servers.sshd import sshd


def test_what_is_absent_is_skipped_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs nosuchd: install the Debian package nosuch"):
        need("nosuchd", "nosuch")


def test_what_is_absent_fails_where_servers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="needs nosuchd"):
        need("nosuchd", "nosuch")


def test_the_installer_is_sound_bash() -> None:
    script = Path(__file__).with_name("install.sh")
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_rsyslogd_forwards_what_is_logged_in_three_ways(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        ours.settimeout(30)
        with rsyslogd(tmp_path, tcp=ours.getsockname()[1]) as server:
            server.log("<38>sshd[7]: by socket")
            server.send_udp("<38>Nov 24 03:00:00 host-a sshd[7]: by udp")
            server.send_tcp("<38>Nov 24 03:00:00 host-a sshd[7]: 由TCP送来")
            connection, _ = ours.accept()
            connection.settimeout(30)
            received = b""
            while not all(text in received for text in (b"by socket", b"by udp", "由TCP送来".encode())):
                part = connection.recv(65_536)
                assert part, received
                received += part
            connection.close()
    assert received[:1].isdigit(), "octet-counted"


def test_sshd_lets_one_in_and_refuses_ten(tmp_path: Path) -> None:
    with sshd(tmp_path) as server:
        refused = [server.log_in("intruder", "stranger") for _ in range(10)]
        assert server.log_in() == 0
        assert refused == [255] * 10
        wait_for(lambda: any("Accepted publickey" in line for line in server.lines()), what=server.lines)
        lines = server.lines()
    assert sum(line.startswith("Invalid user intruder from 127.0.0.1") for line in lines) == 10
    events = _events([f"<38>Nov 24 03:00:00 host-a sshd[7]: {line}".encode() for line in lines], "syslog")
    assert {event["event.dataset"] for event in events} == {parser.dataset}
    accepted = [event for event in events if event.get("user.name") == server.user and event.get("event.outcome") == "success"]
    assert accepted
    assert accepted[0]["source.ip"] == "127.0.0.1"


def test_nginx_logs_to_a_file_and_by_syslog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(30)
        with nginx(tmp_path, ours.getsockname()[1]) as server:
            assert httpx.get(server.url + "/hello").text == "你好\n"
            assert httpx.get(server.url + "/.env").status_code == 404
            sent = [ours.recv(65_536), ours.recv(65_536)]
            wait_for(lambda: len(server.access.read_bytes().splitlines()) == 2)
        assert b" nginx: " in sent[0]
        written = server.access.read_bytes().splitlines()
    assert [record.partition(b" nginx: ")[2] for record in sent] == written
    assert [event["process.name"] for event in _events(sent, "syslog")] == ["nginx", "nginx"]
    assert [how for how, _ in records(str(server.access))] == ["access"]


def test_postgresql_writes_the_same_to_jsonlog_and_csvlog() -> None:
    with postgresql() as server:
        assert server.run("select 40 +\n 2").stdout == "42\n"
        assert server.run("select nothing from nowhere").returncode != 0
        for path in (server.jsonlog, server.csvlog):
            wait_for(lambda path=path: path.exists() and b"nowhere" in path.read_bytes())  # type: ignore[misc]
        found = {path.name: list(records(str(path))) for path in (server.jsonlog, server.csvlog)}
    (json, objects), (csv, rows) = (one for parts in found.values() for one in parts)
    assert (json, csv) == ("json", "csvlog")
    assert len(objects) == len(rows)
    for logged in (objects, rows):
        assert sum(b"select 40 +" in record for record in logged) == 1
        assert sum(b"ERROR" in record and b"nowhere" in record for record in logged) == 1
    assert len(_events(objects, "json")) == len(objects)
    assert any(b"40 +\n 2" in row for row in rows), "a statement over two lines is one record"


def _events(records: list[bytes], how: str) -> list[Event]:
    decoded = BatchDecoder().decode(LoggedBatch(1, RawBatch("test", records, now(), how)))
    assert not decoded.quarantined
    return decoded.events
