import io
import tracemalloc
import zlib

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collectors.bodies import TooLarge, opened, split
from tests.collectors.worlds import zipped

TEXT = b'{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, "identity"),
        (zipped(TEXT), "gzip"),
        (zipped(TEXT[:8]) + zipped(TEXT[8:]), "gzip"),  # two members, as parallel compressors write
        (zipped(TEXT) + b"\x00" * 100, "gzip"),  # padded to a block
        (zstandard.compress(TEXT), "zstd"),
        (zstandard.compress(TEXT[:8]) + zstandard.compress(TEXT[8:]), "zstd"),
    ],
)
def test_a_body_is_opened(body: bytes, encoding: str) -> None:
    assert opened(body, encoding, 1_000) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, "gzip"),  # not compressed at all
        (TEXT, "zstd"),
        (zipped(TEXT)[:-9], "gzip"),  # cut off
        (zlib.compress(TEXT), "gzip"),  # another wrapping
    ],
)
def test_a_damaged_body_is_an_error(body: bytes, encoding: str) -> None:
    with pytest.raises(ValueError, match=encoding):
        opened(body, encoding, 1_000)


def bomb(encoding: str, size: int) -> bytes:
    if encoding == "gzip":
        return zipped(bytes(size))
    out = io.BytesIO()
    with zstandard.ZstdCompressor(level=3).stream_writer(out, closefd=False) as writer:
        for _ in range(size >> 20):
            writer.write(bytes(1 << 20))
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_stopped_at_the_limit(encoding: str) -> None:
    body = bomb(encoding, 128 << 20)
    assert len(body) < 1 << 18
    tracemalloc.start()
    with pytest.raises(TooLarge):
        opened(body, encoding, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_what_just_fits_is_no_bomb() -> None:
    assert len(opened(zipped(bytes(1_000)), "gzip", 1_000)) == 1_000
    with pytest.raises(TooLarge):
        opened(zipped(bytes(1_001)), "gzip", 1_000)


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b'{"a":1}\n{"b":2}\r\n\n', [b'{"a":1}', b'{"b":2}']),
        (b'{\n "a": 1\n}', [b'{\n "a": 1\n}']),  # one object, written to be read
        (b'{"a":1}\n{oops\n{"b":2}', [b'{"a":1}', b"{oops", b'{"b":2}']),  # a bad line is quarantined later, not refused
        (b'{oops\n{"b":2}', [b"{oops", b'{"b":2}']),
        (b'[{"a":1},\n {"b":[1,2]} ]', [b'{"a":1}', b'{"b":[1,2]}']),
        (b"[]", []),
        (b'[1,"x"]', [b"1", b'"x"']),  # no objects: taken, and quarantined later
        (b'\xef\xbb\xbf{"a":1}', [b'{"a":1}']),  # byte order mark
        (b"\xd6\xd0\xce\xc4 not JSON", [b"\xd6\xd0\xce\xc4 not JSON"]),  # GB18030 text
    ],
)
def test_bodies_are_taken_apart(body: bytes, records: list[bytes]) -> None:
    assert split(body) == records


def test_a_line_that_begins_with_a_bracket_is_a_line_where_lines_were_announced() -> None:
    assert split(b'[1]\n{"a":2}', is_ndjson=True) == [b"[1]", b'{"a":2}']


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\x00\x01\x02", "not text"),
        (b'[{"a":1}', "not a JSON array"),  # never closed
        (b'[{"a":1}] and more', "not a JSON array"),
        (b"[" * 100_000 + b"]" * 100_000, "not a JSON array"),  # deep
        (b'[{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}]", "not a JSON array"),
    ],
)
def test_bodies_that_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split(body)


def test_a_deep_object_is_one_record_for_the_decoder_to_judge() -> None:
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    assert split(deep) == [deep]


WORD = st.text(max_size=6)
LEAF = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORD
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3), max_leaves=6)


@given(st.lists(st.dictionaries(WORD, JSON, max_size=3), min_size=1, max_size=4))
def test_array_and_lines_hold_the_same(objects: list[dict[str, object]]) -> None:
    lines = [orjson.dumps(one) for one in objects]
    assert split(b"[" + b" , ".join(lines) + b"]") == lines == split(b"\n".join(lines))


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_refused(body: bytes) -> None:
    try:
        records = split(body)
    except ValueError:
        return
    assert all(records)
