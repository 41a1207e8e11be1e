import io
import sys
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from collectors.reading import Place, files, records
from soc.errors import SocError
from tests.collectors.worlds import zipped

SYSLOG = b"<13>Nov 24 03:00:00 h sshd[1]: one\n<13>Nov 24 03:00:01 h sshd[1]: two\n"
TWO = [b"<13>Nov 24 03:00:00 h sshd[1]: one", b"<13>Nov 24 03:00:01 h sshd[1]: two"]


def read(path: Path, format: str | None = None, size: int = 500) -> tuple[str, list[bytes]]:
    batches = list(records(str(path), format, size=size))
    (taken,) = {name for name, _ in batches} or {""}
    return taken, [record for _, batch in batches for record in batch]


def written(folder: Path, content: bytes, name: str = "x.log") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "format", "found"),
    [
        (SYSLOG, "syslog", TWO),
        (SYSLOG[:-1], "syslog", TWO),  # the last line is not terminated
        (SYSLOG.replace(b"\n", b"\r\n\r\n"), "syslog", TWO),
        (zipped(SYSLOG), "syslog", TWO),
        (zipped(SYSLOG[:40]) + zipped(SYSLOG[40:]), "syslog", TWO),
        (zstandard.compress(SYSLOG), "syslog", TWO),
        (zstandard.compress(SYSLOG[:40]) + zstandard.compress(SYSLOG[40:]), "syslog", TWO),
        (SYSLOG.decode().encode("utf-16"), "syslog", TWO),  # as Windows tools export
        (b"\xef\xbb\xbf" + SYSLOG, "syslog", TWO),
        (b'{"a":1}\n{"a":2}\n', "json", [b'{"a":1}', b'{"a":2}']),
        (b'[{"a":1},\n{"a":2}]\n', "json", [b'{"a":1}', b'{"a":2}']),
        (b"[2026-11-24] not an array\n", "text", [b"[2026-11-24] not an array"]),
        (b"", "", []),
        (b"\n\r\n", "", []),
        (b"\n" * 500 + SYSLOG, "syslog", TWO),
    ],
)
def test_what_files_hold(tmp_path: Path, content: bytes, format: str, found: list[bytes]) -> None:
    assert read(written(tmp_path, content)) == (format, found)


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    assert read(written(tmp_path, SYSLOG), "text") == ("text", TWO)


def test_csv_records_span_lines(tmp_path: Path) -> None:
    row = b'2026-11-24 03:00:00.123 UTC,"u","d",1,"127.0.0.1:5",x,1,"SELECT\n\n  1",x\n'
    assert read(written(tmp_path, row * 3), "csvlog") == ("csvlog", [row[:-1]] * 3)


def test_audit_records_of_one_serial_are_in_one_batch(tmp_path: Path) -> None:
    lines = b"".join(b"type=PATH msg=audit(1700000000.001:%d): item=%d\n" % (n // 5, n % 5) for n in range(50))
    for _, batch in records(str(written(tmp_path, lines)), "audit", size=7):
        serials = [record.split(b":")[1] for record in batch]
        assert all(serials.count(serial) == 5 for serial in serials)


def test_a_folder_is_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.log", "a.log", ".hidden"):
        written(tmp_path, SYSLOG, name)
    assert [one.name for one in files(tmp_path)] == ["a.log", "2.log"]
    assert read(tmp_path) == ("syslog", TWO * 2)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for sent in (SYSLOG, zipped(SYSLOG)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(sent))))
        assert read(Path("-")) == ("syslog", TWO)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zipped(SYSLOG * 100)[:-20], "x.log"),
        (b"\x28\xb5\x2f\xfd broken", "x.log"),
        (b"[{" + b"x" * 100, "not a JSON array"),
        (b"ElfFile\x00 broken", "x.log"),
    ],
)
def test_damage_is_named_with_its_file(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SocError, match=said):
        read(written(tmp_path, content))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SocError, match="/nowhere does not exist"):
        read(Path("/nowhere"))


def test_progress_counts_bytes_of_the_file_itself(tmp_path: Path) -> None:
    path, place = written(tmp_path, zipped(SYSLOG * 1_000)), Place()
    done = [place.done for _ in records(str(path), size=100, place=place)]
    assert place.done == place.total == path.stat().st_size
    assert done == sorted(done)


@pytest.mark.parametrize("compress", [lambda data: data, zipped, zstandard.compress])
def test_a_line_of_64_mb_is_cut_in_bounded_memory(tmp_path: Path, compress: object) -> None:
    path, place = written(tmp_path, compress(b"x" * (64 << 20) + b"\nnext\n")), Place()  # type: ignore[operator]
    tracemalloc.start()
    got = [len(record) for _, batch in records(str(path), "text", place=place) for record in batch]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got == [1 << 20, 4]
    assert place.cut == 1
    assert peak < 8 << 20
