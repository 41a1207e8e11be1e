import asyncio
import hashlib
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import zstandard

from collectors import http
from collectors.http import Config, Http
from soc.errors import ConfigError
from soc.log.sqlite import SqliteLog
from tests.collectors.certificates import Authority
from tests.collectors.worlds import MemoryLog, place, zipped

TOKENS = {"erp": "erp-secret", "web": "web-secret"}
TWO = b'{"a":1}\n{"a":2}\n'


@asynccontextmanager
async def listening(log: MemoryLog, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    collector = Http(Config(**({"listen": "127.0.0.1:0", "tokens": TOKENS} | settings)), log)  # type: ignore[arg-type]
    address = (await collector.start())["http"]
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", headers={"Authorization": "Bearer erp-secret"}) as client:
            yield client
    finally:
        await collector.stop()


def post(
    log: MemoryLog, body: bytes, headers: dict[str, str] | None = None, path: str = "/ingest/erp", **settings: object
) -> httpx.Response:
    async def run() -> httpx.Response:
        async with listening(log, **settings) as client:
            return await client.post(path, content=body, headers=headers)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TWO, {}),
        (b'[{"a":1},{"a":2}]', {}),
        (zipped(TWO), {"Content-Encoding": "gzip"}),
        (zstandard.compress(TWO), {"Content-Encoding": "zstd"}),
        (TWO, {"Content-Type": "application/x-ndjson", "Content-Encoding": "identity"}),
    ],
)
def test_events_are_taken(body: bytes, headers: dict[str, str]) -> None:
    log = MemoryLog()
    answer = post(log, body, headers)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "duplicate": False})
    (batch,) = log.batches
    assert (batch.source, batch.format, batch.records) == ("http:erp", "json", [b'{"a":1}', b'{"a":2}'])
    assert batch.peers == (("127.0.0.1", 2),)


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Authorization": "Bearer wrong"}, "/ingest/erp", 401),
        ({"Authorization": "Bearer web-secret"}, "/ingest/erp", 401),  # the token of another source
        ({"Authorization": "Bearer erp-secret"}, "/ingest/unknown", 401),  # as a wrong token, so that names cannot be tried
        ({"Authorization": "Bearer"}, "/ingest/unknown", 401),  # no token, no source
        ({"Authorization": "Basic erp-secret"}, "/ingest/erp", 401),
        ({"Authorization": ""}, "/ingest/erp", 401),
        ({}, "/ingest/../erp", 404),
        ({}, "/ingest/e rp", 404),
        ({}, "/ingest/" + "x" * 65, 404),
        ({}, "/ingest/", 404),
        ({}, "/", 404),
        ({"Content-Encoding": "br"}, "/ingest/erp", 415),
        ({"Content-Encoding": "gzip"}, "/ingest/erp", 400),  # it is not
        ({"Idempotency-Key": "a b"}, "/ingest/erp", 400),
        ({"Idempotency-Key": "k" * 256}, "/ingest/erp", 400),
    ],
)
def test_what_is_refused_takes_nothing(headers: dict[str, str], path: str, status: int) -> None:
    log = MemoryLog()
    answer = post(log, TWO, headers, path)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert log.batches == []
    assert "secret" not in answer.text


def test_a_get_is_told_what_to_do() -> None:
    async def run() -> tuple[int, int, int]:
        log = MemoryLog()
        async with listening(log) as client:
            got, well = await client.get("/ingest/erp"), await client.get("/health")
            log.pressed = True
            return got.status_code, well.status_code, (await client.get("/health")).status_code

    assert asyncio.run(run()) == (405, 200, 503)


def test_pressure_and_a_full_log_ask_to_come_back() -> None:
    log = MemoryLog()
    log.pressed = True
    answer = post(log, TWO)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    log.pressed, log.full = False, True
    answer = post(log, TWO)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert log.batches == []


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Idempotency-Key"])
def test_the_same_delivery_is_taken_once(name: str) -> None:
    log, body = MemoryLog(), b"".join(b'{"n":%d}\n' % n for n in range(5_000))
    first, again = (post(log, body, {name: "delivery-1"}) for _ in range(2))
    assert first.json() == {"accepted": 5_000, "duplicate": False}
    assert (again.status_code, again.json()) == (200, {"accepted": 0, "duplicate": True})
    assert len(log.records) == 5_000
    assert max(len(batch.records) for batch in log.batches) == 2_000
    other = post(log, TWO, {name: "delivery-1", "Authorization": "Bearer web-secret"}, "/ingest/web")
    assert other.json()["accepted"] == 2, "keys of two sources do not meet"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"a":"' + b"x" * (1 << 20) + b'"}', {}),  # announced to be too large
        (zipped(bytes(64 << 20)), {"Content-Encoding": "gzip"}),  # a bomb
        (zstandard.compress(bytes(64 << 20)), {"Content-Encoding": "zstd"}),
    ],
)
def test_large_bodies_are_refused(body: bytes, headers: dict[str, str]) -> None:
    log = MemoryLog()
    assert post(log, body, headers, max_body_mb=1, max_opened_mb=2).status_code == 413
    assert log.batches == []


def test_a_body_of_unknown_length_is_stopped_at_the_limit() -> None:
    async def run() -> None:
        async with listening(MemoryLog(), max_body_mb=1) as client:

            async def endless() -> AsyncIterator[bytes]:
                while True:
                    yield b"x" * 65_536

            with suppress(httpx.TransportError):  # closed while we were still sending: refused as well
                assert (await client.post("/ingest/erp", content=endless())).status_code == 413
            assert (await client.post("/ingest/erp", content=TWO)).status_code == 200

    asyncio.run(run())


def test_bodies_together_are_bounded() -> None:
    async def run() -> list[int]:
        async with listening(MemoryLog(), max_held_mb=1) as client:
            body = b'{"a":"' + b"x" * 700_000 + b'"}'

            async def slowly() -> AsyncIterator[bytes]:
                yield body[:-1]
                await asyncio.sleep(0.3)
                yield body[-1:]

            one = asyncio.create_task(client.post("/ingest/erp", content=slowly()))
            await asyncio.sleep(0.15)
            second = await client.post("/ingest/erp", content=body)
            return [(await one).status_code, second.status_code, (await client.post("/ingest/erp", content=body)).status_code]

    assert asyncio.run(run()) == [200, 429, 200]


async def raw(address: tuple[str, int], *parts: bytes, pause: float = 0) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_slow_and_endless_requests_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_HEAD_SECS", 0.3)

    async def run() -> None:
        async with listening(MemoryLog(), body_secs=0) as client:
            where = place(str(client.base_url.netloc, "ascii"))
            assert await raw(where) == b"", "says nothing"
            assert await raw(where, b"POST /ingest/erp HTTP/1.1\r\nHost: x\r\n") == b"", "a head without end"
            assert await raw(where, b"GET /health HTTP/1.1\r\n", *[b"X: " + b"y" * 9_000 + b"\r\n"] * 9) == b"", "a huge head"
            ok = await raw(where, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", pause=0.05)
            assert ok.startswith(b"HTTP/1.1 200 "), "one answer, then the silence is ended"
            late = await raw(
                where, b"POST /ingest/erp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer erp-secret\r\nContent-Length: 9\r\n\r\n{"
            )
            assert late.startswith(b"HTTP/1.1 408 "), "a body that does not come"

    asyncio.run(run())


def test_more_connections_than_permitted_are_answered_503() -> None:
    async def run() -> int:
        async with listening(MemoryLog(), max_connections=3) as client:
            where = place(str(client.base_url.netloc, "ascii"))
            silent = [await asyncio.open_connection(*where) for _ in range(3)]
            status = (await client.get("/health")).status_code
            for _, writer in silent:
                writer.close()
            return status

    assert asyncio.run(run()) == 503


def test_https_and_a_token_from_a_file(tmp_path: Path) -> None:
    authority, log = Authority(tmp_path), MemoryLog()
    ours = authority.issue("soc.example")
    (tmp_path / "token").write_text("from-a-file\n")

    async def run() -> int:
        tokens = {"erp": f"file:{tmp_path / 'token'}"}
        collector = Http(Config("127.0.0.1:0", tokens, str(ours.certificate), str(ours.key)), log)
        address = (await collector.start())["http"]
        context = ssl.create_default_context(cafile=str(authority.certificate))
        async with httpx.AsyncClient(verify=context) as client:
            answer = await client.post(
                f"https://{address}/ingest/erp", content=TWO, headers={"Authorization": "Bearer from-a-file"}
            )
        await collector.stop()
        return answer.status_code

    assert asyncio.run(run()) == 200
    assert len(log.records) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "8051"}, "is not host:port"),
        ({"listen": "127.0.0.1:99999"}, "is not host:port"),
        ({"tls_certificate": "/nowhere"}, "one is no use without the other"),
        ({"tls_certificate": "/nowhere", "tls_key": "/nowhere"}, "No such file"),
        ({"tokens": {"erp": "file:/nowhere"}}, r"tokens.erp: .*No such file"),
        ({"tokens": {"erp": " "}}, r"tokens.erp: the token is empty"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asyncio.run(Http(Config(**({"listen": "127.0.0.1:0"} | settings)), MemoryLog()).start())  # type: ignore[arg-type]


def test_tokens_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryLog):
        def append(self, batches: object) -> list[int | None]:
            raise RuntimeError("the disk has left")

    with caplog.at_level(logging.DEBUG):
        answer = post(Broken(), TWO)
    assert answer.status_code == 503
    assert "could not be appended" in caplog.text
    assert "erp-secret" not in caplog.text
    assert hashlib.sha256(b"erp-secret").hexdigest() not in caplog.text


def test_the_real_log_has_each_delivery_once(tmp_path: Path) -> None:
    """Eight senders at once, each delivery sent twice: the ledger has every record once and its twin as duplicate."""
    log = SqliteLog(tmp_path)

    async def run() -> None:
        collector = Http(Config("127.0.0.1:0", TOKENS), log)
        address = (await collector.start())["http"]
        async with httpx.AsyncClient(base_url=f"http://{address}", headers={"Authorization": "Bearer erp-secret"}) as client:

            async def deliver(number: int) -> None:
                body = b"\n".join(b'{"d":%d,"n":%d}' % (number, n) for n in range(3_000))
                for _ in range(2):
                    key = {"Idempotency-Key": f"d{number}", "Content-Encoding": "zstd"}
                    (await client.post("/ingest/erp", content=zstandard.compress(body), headers=key)).raise_for_status()

            await asyncio.gather(*(deliver(number) for number in range(8)))
        await collector.stop()

    asyncio.run(run())
    (line,) = log.ledger()
    assert line.balances
    assert (line.source, line.received, line.duplicate, line.pending) == ("http:erp", 48_000, 24_000, 24_000)
    seen = [json.loads(record) for batch in log.read(0, 1, 0, 100) for record in batch.raw.records]
    assert len({(one["d"], one["n"]) for one in seen}) == len(seen) == 24_000


def test_a_request_in_progress_is_answered_when_the_collector_stops() -> None:
    async def run() -> tuple[int, int]:
        log = MemoryLog()
        collector = Http(Config("127.0.0.1:0", TOKENS), log)
        address = (await collector.start())["http"]

        async def slowly() -> AsyncIterator[bytes]:
            yield b'{"a":1}'
            await asyncio.sleep(0.4)
            yield b"\n"

        async with httpx.AsyncClient(headers={"Authorization": "Bearer erp-secret"}) as client:
            one = asyncio.create_task(client.post(f"http://{address}/ingest/erp", content=slowly()))
            await asyncio.sleep(0.1)
            await collector.stop()
            return (await one).status_code, len(log.records)

    assert asyncio.run(run()) == (200, 1)
