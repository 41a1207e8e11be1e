"""A writer dies at any moment, or another takes its place: nothing is lost that was durable, nothing is there twice."""

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from soc.errors import Conflict
from soc.model import event_id
from soc.query import All, Query, Term
from soc.store.catalog import Catalog
from soc.store.compact import compact
from soc.store.parquet import ParquetStore, ParquetWriter
from tests.soc.store.crash_writer import EACH, batch

ROOT = Path(__file__).parents[3]


def ids_in(store: ParquetStore) -> Counter[str]:
    return Counter(str(event["event.id"]) for event in store.search(Query(limit=50_000, fields=("event.id",))).events)


def strays(folder: Path) -> list[str]:
    """Files of segments that no catalog row speaks of."""
    catalog = Catalog(folder)
    known = {segment.file for segment in catalog.snapshot().segments} | catalog.retired().keys()
    catalog.close()
    return sorted(path.name for path in (folder / "segments").iterdir() if path.name not in known)


def test_killed_at_any_moment_what_was_flushed_is_there_once(tmp_path: Path) -> None:
    dice = random.Random(3)
    durable = 0
    for _ in range(6):
        durable = _run_and_kill(tmp_path, durable + 1, dice.uniform(0.02, 0.25))
        if dice.random() < 0.5:
            compact(tmp_path, fewest=2, grace_secs=0)
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    found = ids_in(store)
    assert set(found.values()) == {1}
    stored = {int(id_.partition("-")[0], 16) for id_ in found}
    assert stored >= set(range(1, durable + 1))
    assert all(found[event_id(seq, i)] == 1 for seq in stored for i in range(EACH))  # batches are whole
    for seq in range(1, max(stored) + 2):  # the worker reads the log again from its cursor
        writer.append(seq, batch(seq))
    assert ids_in(store) == Counter(event_id(seq, i) for seq in range(1, max(stored) + 2) for i in range(EACH))
    assert strays(tmp_path) == []
    writer.close()
    store.close()


def _run_and_kill(folder: Path, first: int, secs: float) -> int:
    """The last sequence known to be durable."""
    command = [sys.executable, "-m", "tests.soc.store.crash_writer", str(folder), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    lines = [process.stdout.readline()]  # it has begun
    killer = threading.Timer(secs, process.kill)
    killer.start()
    lines += process.stdout.readlines()
    process.wait()
    killer.join()
    flushed = [int(line.split()[1]) for line in lines if line.startswith("flushed") and line.endswith("\n")]
    return max(flushed, default=first - 1)


def test_another_process_sees_events_before_they_are_flushed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soc.store.crash_writer", str(tmp_path), "1"]
    store = ParquetStore(tmp_path, threads=1)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        for _ in range(10):
            kind, seq = process.stdout.readline().split()
            if kind == "appended":
                assert store.count(Term("acme.seq", seq)) == EACH
    finally:
        process.kill()
        process.stdout.read()
        process.wait()
    store.close()


def test_readers_lose_and_double_nothing_while_writers_flush_and_segments_are_merged(tmp_path: Path) -> None:
    writers = [ParquetWriter(tmp_path, worker=0), ParquetWriter(tmp_path, worker=1)]
    done = threading.Event()
    appended = 0
    wrong: list[str] = []

    def look() -> None:
        store = ParquetStore(tmp_path, threads=1)
        while not done.is_set():
            before = appended
            found = ids_in(store)
            if len(found) < before * EACH or set(found.values()) - {1} or store.count(All()) < before * EACH:
                wrong.append(f"{len(found)} of {before * EACH} events, {found.most_common(1)}")
        store.close()

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for seq in range(1, 200):
        writers[seq % 2].append(seq, batch(seq))
        appended = seq
        if seq % 7 == 0:
            writers[seq % 2].flush()
        if seq % 50 == 0:
            assert compact(tmp_path, fewest=2)["before"] > 0
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    for writer in writers:
        writer.close()


def test_a_second_writer_takes_over_and_the_first_can_flush_no_more(tmp_path: Path) -> None:
    first = ParquetWriter(tmp_path)
    first.append(1, batch(1))
    second = ParquetWriter(tmp_path)
    store = ParquetStore(tmp_path, threads=1)
    assert store.count(All()) == 0  # what the first had not flushed will come again from the log
    second.append(1, batch(1))
    second.flush()
    with pytest.raises(Conflict):
        first.flush()
    assert store.count(All()) == EACH
    assert strays(tmp_path) == []
    second.close()
    store.close()


def test_a_batch_that_another_worker_has_stored_is_left_out(tmp_path: Path) -> None:
    one, other = ParquetWriter(tmp_path, worker=0), ParquetWriter(tmp_path, worker=1)
    one.append(1, batch(1))
    other.append(1, batch(1))
    other.append(2, batch(2))
    one.flush()
    other.flush()
    store = ParquetStore(tmp_path, threads=1)
    assert store.count(All()) == 2 * EACH
    one.close()
    other.close()
    store.close()


def test_a_flush_that_fails_leaves_everything_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    writer.append(1, batch(1))
    with monkeypatch.context() as broken:
        broken.setattr("soc.store.segments.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    assert (writer.waiting, store.count(All()), strays(tmp_path)) == (EACH, EACH, [])
    writer.flush()
    assert (writer.waiting, store.count(All())) == (0, EACH)
    writer.close()
    store.close()


def test_a_full_disk_under_the_hot_file_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    with monkeypatch.context() as broken:
        broken.setattr("soc.store.hot.os.writev", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        writer.append(1, batch(1))
    assert "No space" in str(writer.hot_failure)
    assert store.count(All()) == 0
    writer.flush()
    assert (store.count(All()), writer.hot_failure) == (EACH, None)
    writer.close()
    store.close()


def test_many_datasets_do_not_make_many_files(tmp_path: Path) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    writer.append(1, [{"@timestamp": i, "event.id": event_id(1, i), "event.dataset": f"d{i}"} for i in range(3000)])
    writer.flush()
    assert len(list((tmp_path / "segments").iterdir())) <= 2
    assert store.count(Term("event.dataset", "D2999")) == 1
    writer.close()
    store.close()


def test_datasets_that_somebody_made_up_do_not_crowd_out_later_ones(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path)
    writer.append(1, [{"@timestamp": i, "event.id": event_id(1, i), "event.dataset": f"made.up{i}"} for i in range(200)])
    writer.flush()
    writer.append(2, [{"@timestamp": i, "event.id": event_id(2, i), "event.dataset": "sshd.auth"} for i in range(2000)])
    writer.flush()
    writer.close()
    catalog = Catalog(tmp_path)
    assert catalog.snapshot().segments[-1].datasets == ("sshd.auth",)
    catalog.close()


def test_closing_flushes(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path)
    writer.append(1, batch(1))
    writer.close()
    writer.close()
    store = ParquetStore(tmp_path, threads=1)
    assert (store.count(All()), list((tmp_path / "hot").iterdir())) == (EACH, [])
    store.close()


def test_a_catalog_that_cannot_be_written_is_an_os_error_and_leaves_everything_waiting(tmp_path: Path) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    writer.append(1, batch(1))
    writer._catalog._db.execute("pragma query_only = on")
    with pytest.raises(OSError, match="catalog"):
        writer.flush()
    writer.settle(1)
    assert (writer.waiting, store.count(All()), strays(tmp_path)) == (EACH, EACH, [])
    writer._catalog._db.execute("pragma query_only = off")
    writer.flush()
    assert store.count(All()) == EACH
    writer.close()
    store.close()


def test_hot_events_of_a_dead_worker_are_not_seen_beside_those_read_again(tmp_path: Path) -> None:
    """There were three workers, now there are two: the third's batches come to the others from the log."""
    subprocess.run([sys.executable, "-c", "from tests.soc.store.test_writer import die; die()", tmp_path], cwd=ROOT, check=False)
    store = ParquetStore(tmp_path, threads=1)
    assert store.count(All()) == EACH  # nobody has read the log again yet
    living = ParquetWriter(tmp_path, worker=1)
    living.append(5, batch(5))
    other = ParquetWriter(tmp_path, worker=0)
    other.append(1, batch(1))
    assert ids_in(store) == Counter(event_id(seq, i) for seq in (1, 5) for i in range(EACH))
    for writer in (living, other):
        writer.close()
    store.close()


def die() -> None:
    """In a process of its own: append as worker 2 and end as a killed process does."""
    ParquetWriter(Path(sys.argv[1]), worker=2).append(1, batch(1))
    os._exit(9)
