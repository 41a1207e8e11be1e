import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.framing import Framing

LIMIT = 100


def framed(*reads: bytes, limit: int = LIMIT) -> tuple[list[bytes], Framing]:
    framing = Framing(limit)
    records = [record for read in reads for record in framing.feed(read)]
    return records + framing.rest(), framing


@pytest.mark.parametrize(
    ("sent", "records"),
    [
        (b"<13>a\n<13>b\n", [b"<13>a", b"<13>b"]),
        (b"<13>a\r\n<13>b\r\n", [b"<13>a", b"<13>b"]),  # CRLF
        (b"<13>a\x00<13>b\x00", [b"<13>a", b"<13>b"]),  # NUL as the end, as some firewalls do
        (b"<13>a\x00\n<13>b\x00\n", [b"<13>a", b"<13>b"]),
        (b"<13>a\n<13>b", [b"<13>a", b"<13>b"]),  # the last line is not terminated
        (b"\n\n\r\n\n", []),  # empty lines are no records
        (b"5 <13>a5 <13>b", [b"<13>a", b"<13>b"]),  # octet-counted
        (b"6 <13>a\n6 <13>b\n", [b"<13>a", b"<13>b"]),  # RFC 5424 template: the LF is inside the frame
        (b"5 <13>a\n5 <13>b\n", [b"<13>a", b"<13>b"]),  # ... and one that forgot to count it
        (b"7 <13>a\nb5 <13>c", [b"<13>a\nb", b"<13>c"]),  # a counted frame may hold a line feed
        (b"2026-11-24T03:00:00Z h p: x\n", [b"2026-11-24T03:00:00Z h p: x"]),  # begins with digits, counts nothing
        (b"404 not found\n", [b"404 not found"]),  # digits and a blank, but no priority
        (b"0 <13>a\n", [b"0 <13>a"]),  # no count begins with 0
        (b"1234567890 <13>a\n", [b"1234567890 <13>a"]),  # ten digits are no count
        (b"17", [b"17"]),  # it never became a count
        (b"", []),
        (b"\xd6\xd0\xce\xc4\n", [b"\xd6\xd0\xce\xc4"]),  # GB18030 stays as it is
    ],
)
def test_frames(sent: bytes, records: list[bytes]) -> None:
    got, framing = framed(sent)
    assert got == records
    assert (framing.cut, framing.malformed) == (0, 0)


@pytest.mark.parametrize(
    ("sent", "records", "malformed"),
    [
        (b"5 <13>aJUNK\n5 <13>b", [b"<13>a", b"JUNK", b"<13>b"], 1),  # reads on as a line, then counts again
        (b"5 <13>a99999999999 <13>b\n", [b"<13>a", b"99999999999 <13>b"], 1),
        (b"5 <13>a-3 <13>b\n", [b"<13>a", b"-3 <13>b"], 1),
        (b"5 <13>a50 <13>cut off", [b"<13>a", b"<13>cut off"], 1),  # the connection ended inside a frame
        (b"5 <13>a77", [b"<13>a", b"77"], 0),
    ],
)
def test_a_sender_that_loses_count_loses_nothing(sent: bytes, records: list[bytes], malformed: int) -> None:
    got, framing = framed(sent)
    assert got == records
    assert framing.malformed == malformed


@pytest.mark.parametrize("prefix", [b"", b"300 "])
def test_what_is_too_long_is_cut_once_and_the_next_frame_is_whole(prefix: bytes) -> None:
    long = b"<13>" + b"x" * 296
    end, following = (b"", b"5 <13>b") if prefix else (b"\n", b"<13>b\n")
    sent = prefix + long + end + following
    for step in (1, 7, 64, 99, 1000):
        got, framing = framed(*(sent[at : at + step] for at in range(0, len(sent), step)))
        assert got == [long[:LIMIT], b"<13>b"], step
        assert framing.cut == 1


def test_a_line_of_64_mb_costs_no_memory() -> None:
    framing, read = Framing(65_536), b"x" * 262_144
    tracemalloc.start()
    heads = [len(record) for _ in range(256) for record in framing.feed(read)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert heads == [65_536]
    assert framing.feed(b"end\n<13>next\n") == [b"<13>next"]
    assert peak < 2 << 20


def test_a_count_of_64_mb_costs_no_memory() -> None:
    framing, read = Framing(65_536), b"x" * 262_144
    tracemalloc.start()
    heads = [len(record) for part in (b"67108864 <13>", *[read] * 255) for record in framing.feed(part)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert heads == [65_536]
    assert framing.feed(b"x" * (262_144 - 4) + b"5 <13>b") == [b"<13>b"]
    assert peak < 2 << 20


RECORD = st.binary(min_size=1, max_size=60).map(lambda b: b"<1>" + b.replace(b"\n", b" ").replace(b"\x00", b" ") + b".")


@given(
    records=st.lists(RECORD.map(lambda b: b.replace(b"\r", b" ")), max_size=12),
    cuts=st.lists(st.integers(0, 900)),
    counted=st.booleans(),
)
def test_where_reads_are_cut_does_not_matter(records: list[bytes], cuts: list[int], counted: bool) -> None:
    sent = b"".join(b"%d %s" % (len(r), r) if counted else r + b"\n" for r in records)
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    got, framing = framed(*(sent[a:b] for a, b in itertools.pairwise(edges)))
    assert got == records
    assert (framing.cut, framing.malformed) == (0, 0)


@given(
    st.lists(st.sampled_from([b"5 <13>a", b"9", b" ", b"<13>", b"\n", b"\x00", b"\r", b"999999999 <", b"z" * 130]) | st.binary())
)
def test_any_bytes_are_framed_without_growing(reads: list[bytes]) -> None:
    """Whatever comes, records stay below the limit and never exceed what was sent."""
    framing = Framing(LIMIT)
    records = [record for read in reads for record in framing.feed(read)] + framing.rest()
    assert all(0 < len(record) <= LIMIT + 12 for record in records)
    assert sum(map(len, records)) <= sum(map(len, reads))
