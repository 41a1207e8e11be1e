import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.grouping import LONGEST, grouping
from collectors.tail import HEAD, Log, Taken, base_of, take


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/l/auth.log", "/l/auth.log"),
        ("/l/auth.log.1", "/l/auth.log"),
        ("/l/auth.log.12.gz", "/l/auth.log"),
        ("/l/auth.log-20261124", "/l/auth.log"),
        ("/l/auth.log-20261124.zst", "/l/auth.log"),
        ("/l/app.log.2026-11-24", "/l/app.log"),
        ("/l/app.log.2026-11-24_13", "/l/app.log"),
        ("/l/old.log.gz", "/l/old.log"),
        ("/l/app-2026-11-24.log", "/l/app-2026-11-24.log"),  # the day is in the name it is written under
        ("/l/node1", "/l/node1"),  # no separator before the digit
        ("/l/auth.log.bak", "/l/auth.log.bak"),
    ],
)
def test_the_name_under_which_a_log_is_written(path: str, base: str) -> None:
    assert base_of(path) == base


@pytest.mark.parametrize(
    ("data", "mode", "is_skipping", "is_end", "taken"),
    [
        (b"a\nb\n", "single", False, False, Taken([b"a", b"b"], 4)),
        (b"a\nb", "single", False, False, Taken([b"a"], 2)),  # not terminated: it waits
        (b"a\nb", "single", False, True, Taken([b"a", b"b"], 3)),  # ... and is taken in the end
        (b"a\r\n\n\x00\x00b\n", "single", False, False, Taken([b"a", b"b"], 8)),  # NULs, as a crash leaves them
        (b"", "single", False, True, Taken([], 0)),
        (b"rest\nb\n", "single", True, False, Taken([b"b"], 7)),
        (b"still the rest", "single", True, False, Taken([], 14, True)),
        (b"a\n b\nc\n", "stack", False, False, Taken([b"a\n b"], 5)),  # c may go on
        (b"a\n b\n", "stack", False, False, Taken([], 0)),
        (b"a\n b\n", "stack", False, True, Taken([b"a\n b"], 5)),
        (b"a\n b\n\n", "stack", False, True, Taken([b"a\n b"], 6)),
    ],
)
def test_complete_groups_are_taken(data: bytes, mode: str, is_skipping: bool, is_end: bool, taken: Taken) -> None:
    assert take(data, grouping(mode), is_skipping, is_end) == taken


def test_a_line_without_end_is_cut_and_its_rest_skipped() -> None:
    data = b"x" * (LONGEST + 10)
    got = take(data, grouping("single"))
    assert (len(got.records[0]), got.used, got.is_skipping, got.cut) == (LONGEST, len(data), True, 1)


PIECES = st.lists(
    st.sampled_from([b"a\n", b" b\n", b"\n", b'"\n', b"m audit(1.1:1)\n", b"m audit(1.1:2)\n", b"end"]), max_size=30
)


@given(pieces=PIECES, mode=st.sampled_from(["single", "stack", "audit", "csv"]), step=st.integers(1, 40))
def test_reading_as_it_grows_gives_what_reading_at_once_gives(pieces: list[bytes], mode: str, step: int) -> None:
    content = b"".join(pieces)
    records: list[bytes] = []
    offset = 0
    for end in range(0, len(content) + step, step):
        got = take(content[offset:end], grouping(mode))
        records += got.records
        offset += got.used
    records += take(content[offset:], grouping(mode), is_end=True).records
    assert records == take(content, grouping(mode), is_end=True).records


HEAD_A, HEAD_B = b"a" * HEAD, b"b" * HEAD


def test_streams_are_told_by_content() -> None:
    log = Log("/l/x")
    one = log.begin(1, 10, HEAD_A)
    one.offset = 5_000
    assert log.find(1, 10, 6_000, HEAD_A) is one, "it has grown"
    assert log.find(1, 10, 5_000, HEAD_A) is one
    assert log.find(1, 10, 4_000, HEAD_A) is None, "shorter than what we read: truncated"
    assert log.find(1, 10, 6_000, HEAD_B) is None, "other content under the same inode"
    assert log.find(1, 11, 6_000, HEAD_A) is one, "a copy"
    assert log.find(1, 11, None, HEAD_A) is one, "a compressed copy"
    assert log.find(1, 11, 4_000, HEAD_A) is None, "a new file that begins alike is shorter"
    two = log.begin(1, 10, HEAD_A)
    assert log.find(1, 10, 6_000, HEAD_A) is two, "after copy and truncate the live file is the new stream"
    assert log.find(1, 12, 6_000, HEAD_A) is one, "and the copy the one that got further"


def test_short_files_that_begin_alike_are_two() -> None:
    log = Log("/l/x")
    log.begin(1, 10, b"started\n").offset = 8
    assert log.find(1, 11, 100, b"started\nmore") is None


def test_a_digest_grows_with_the_file() -> None:
    log = Log("/l/x")
    one = log.begin(1, 10, b"started\n")
    one.learn(b"started\nand more\n")
    assert log.find(1, 10, 100, b"started\nsomething else") is None
    assert log.find(1, 10, 100, b"started\nand more\nand more") is one


def test_positions_survive_as_text() -> None:
    log = Log("/l/x", time=7)
    log.begin(1, 10, HEAD_A).offset = 77
    assert Log.from_text("/l/x", log.to_text()) == log
    assert Log.from_text("/l/x", None) == Log("/l/x")


def test_streams_of_files_that_are_gone_are_forgotten_first() -> None:
    log = Log("/l/x")
    for number in range(100):
        log.begin(1, number, HEAD_A)
    log.forget({(1, number) for number in range(50)})
    assert {one.inode for one in log.streams} == set(range(50)) | set(range(86, 100))
