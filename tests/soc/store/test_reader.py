"""What only the Parquet store has: broken files, deadlines, pages that stop early, threads."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from soc.query import All, Cardinality, Contains, DateHistogram, Query, Regex, Term, TermsOf
from soc.store.parquet import ParquetStore, ParquetWriter
from tests.soc.store.worlds import START, events, segments

SECOND = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ParquetStore]:
    store = ParquetStore(tmp_path, threads=1)
    yield store
    store.close()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "segments").glob("*.parquet"))


@pytest.mark.parametrize("damage", ["missing", "cut", "zeros in the middle", "another file"])
def test_a_segment_that_cannot_be_read_is_left_out_and_said(tmp_path: Path, store: ParquetStore, damage: str) -> None:
    segments(tmp_path, [1, 2, 3])
    bad = files(tmp_path)[1]
    if damage == "missing":
        bad.unlink()
    elif damage == "cut":
        bad.write_bytes(bad.read_bytes()[:-20])
    elif damage == "another file":
        bad.write_bytes(b"x" * bad.stat().st_size)
    else:
        whole = bad.read_bytes()
        bad.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    for _ in range(2):
        found = store.search(Query(limit=100, fields=("message",)))
        assert (len(found.events), found.partial) == (20, True)
        answer = store.aggregate(Contains("message", " "), {"x": Cardinality("message")})
        assert (answer["x"], answer.partial) == (20.0, True)
    assert list(store.broken()) == [bad.name]
    assert store.stats()["broken"] == 1


def test_a_whole_store_is_not_partial(tmp_path: Path, store: ParquetStore) -> None:
    segments(tmp_path, [1, 2])
    assert not store.search(Query()).partial
    assert not store.aggregate(All(), {"x": TermsOf(("message",))}).partial


def test_a_deadline_that_has_passed_gives_a_partial_answer(tmp_path: Path, store: ParquetStore) -> None:
    segments(tmp_path, [1])
    found = store.search(Query(), deadline_secs=0)
    assert (found.events, found.after, found.partial) == ([], None, True)
    answer = store.aggregate(All(), {"x": TermsOf(("message",)), "y": Cardinality("message")}, deadline_secs=0)
    assert (dict(answer), answer.partial) == ({"x": [], "y": None}, True)


def test_a_deadline_interrupts_a_question_that_is_being_answered(tmp_path: Path, store: ParquetStore) -> None:
    writer = ParquetWriter(tmp_path)
    for seq in range(1, 11):
        writer.append(seq, events(seq, 1000, {"message": "x" * 5000}))
    writer.flush()
    writer.close()
    found = store.search(Query(Regex("message", "(x+x+)+y"), fields=("event.id",)), deadline_secs=0.002)
    assert (found.events, found.partial) == ([], True)
    assert store.count(All()) == 10_000  # and the engine goes on


def test_a_page_stops_at_the_segments_that_can_only_hold_older_events(
    tmp_path: Path, store: ParquetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soc.store.pages.MOST_FILES", 2)
    segments(tmp_path, range(1, 13))
    for file in files(tmp_path):
        if not file.name.startswith(("w0-1-12-", "w0-1-11-")):
            file.write_bytes(b"x" * file.stat().st_size)  # reading any of these would fail
    found = store.search(Query(limit=5, fields=("message",)))
    assert ([e["message"] for e in found.events], found.partial) == (["12 9", "12 8", "12 7", "12 6", "12 5"], False)
    assert store.broken() == {}


def test_events_of_one_moment_in_many_segments_are_paged_without_loss(tmp_path: Path, store: ParquetStore) -> None:
    for worker in range(3):
        segments(tmp_path, range(worker + 1, 31, 3), worker, {"@timestamp": START})
    seen: list[object] = []
    query = Query(limit=7, fields=("event.id",))
    while True:
        found = store.search(query)
        seen += [e["event.id"] for e in found.events]
        if found.after is None:
            break
        query = Query(limit=7, fields=("event.id",), after=found.after)
    assert seen == sorted(seen, key=str, reverse=True)
    assert len(seen) == len(set(seen)) == 300


def test_threads_may_ask_at_once(tmp_path: Path, store: ParquetStore) -> None:
    segments(tmp_path, range(1, 20))
    answers: list[object] = []

    def ask(seq: int) -> None:
        answers.append(store.count(Term("message", f"{seq} 3")))
        answers.append(len(store.aggregate(All(), {"x": DateHistogram(10 * SECOND)})["x"]))  # type: ignore[arg-type]

    threads = [threading.Thread(target=ask, args=(seq,)) for seq in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, answers)) == ["1"] * 8 + ["19"] * 8


def test_figures_for_the_health_page(tmp_path: Path, store: ParquetStore) -> None:
    writer = ParquetWriter(tmp_path, dynamic_limit=1)
    writer.append(1, events(1, also={"source.port": "x", "acme.one": "1", "acme.two": "2"}))
    writer.flush()
    writer.append(2, events(2))
    stats = store.stats()
    assert {name: stats[name] for name in ("segments", "events", "hot", "ignored", "extra", "broken")} == {
        "segments": 1, "events": 20, "hot": 10, "ignored": 10, "extra": 10, "broken": 0,
    }  # fmt: skip
    assert (stats["oldest"], stats["newest"]) == (START + 10 * SECOND, START + 19 * SECOND)
    assert store.count(Term("acme.two", "2")) == 10
    writer.close()


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's a \"folder\" 中文 $x {y}"
    segments(folder, [1])
    store = ParquetStore(folder, threads=1)
    assert store.count(Contains(None, "1")) == 10
    store.close()


def test_questions_reach_no_file_outside_the_store(tmp_path: Path, store: ParquetStore) -> None:
    outside = tmp_path.parent / "outside.parquet"
    segments(tmp_path, [1])
    shutil.copy(files(tmp_path)[0], outside)
    engine = store._asker._engine
    from soc.store.engine import Deadline

    with pytest.raises(engine.errors, match=r"[Pp]ermission"):
        engine.rows("select * from read_parquet($f)", {"f": str(outside)}, {}, Deadline(None))
