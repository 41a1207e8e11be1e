"""Hot files, read while they are written."""

from pathlib import Path

import pyarrow as pa
import pytest

from soc.store.hot import Alive, HotFile, HotReader, frames_of, is_alive

ONE = pa.record_batch({"event.id": ["a", "b"], "n": [1, 2]})
OTHER = pa.record_batch({"event.id": ["c"]})


def rows(reader: HotReader) -> list[tuple[str, list[str | None]]]:
    reader.refresh()
    return [(dataset, table["event.id"].to_pylist()) for dataset, table in reader.tables()]


def test_frames_are_read_as_they_come_and_joined_by_schema(tmp_path: Path) -> None:
    file, reader = HotFile(tmp_path / "h"), HotReader(tmp_path / "h")
    file.append(frames_of(1, [("x", ONE), ("y", OTHER)]))
    assert rows(reader) == [("x", ["a", "b"]), ("y", ["c"])]
    file.append(frames_of(2, [("x", ONE)]))
    assert rows(reader) == [("x", ["a", "b", "a", "b"]), ("y", ["c"])]
    file.remove()
    with pytest.raises(FileNotFoundError):
        reader.refresh()


def test_a_frame_that_is_not_whole_yet_is_waited_for(tmp_path: Path) -> None:
    data = b"".join(bytes(part) for part in frames_of(1, [("x", ONE)]))
    first = b"".join(bytes(part) for part in frames_of(1, [("y", OTHER)]))
    for cut in range(0, len(data), 7):
        path = tmp_path / str(cut)
        path.write_bytes(first + data[:cut])
        reader = HotReader(path)
        assert rows(reader) == [("y", ["c"])]
        path.write_bytes(first + data)
        assert rows(reader) == [("y", ["c"]), ("x", ["a", "b"])]


@pytest.mark.parametrize("junk", [b"", b"\0" * 500, b"SOCHOT1\0" + b"\xff" * 16 + b"x" * 500, b"other file" * 50])
def test_what_is_no_frame_ends_the_reading(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "h").write_bytes(junk)
    assert rows(HotReader(tmp_path / "h")) == []


def test_many_small_batches_in_one_append(tmp_path: Path) -> None:
    file, reader = HotFile(tmp_path / "h"), HotReader(tmp_path / "h")
    file.append(frames_of(1, [(f"d{i}", OTHER) for i in range(700)]))  # more pieces than one system call takes
    assert len(rows(reader)) == 700
    file.remove()


def test_a_full_disk_is_remembered_and_raises_nothing(tmp_path: Path) -> None:
    file = HotFile(tmp_path / "no folder" / "h")
    file.append(frames_of(1, [("x", ONE)]))
    assert file.failed is not None
    file.append(frames_of(2, [("x", ONE)]))
    file.remove()


def test_a_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / "sign"
    assert not is_alive(path)
    sign = Alive(path)
    assert is_alive(path)
    sign.end()
    assert not is_alive(path)
    path.touch()  # its writer was killed
    assert not is_alive(path)
