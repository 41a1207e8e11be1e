"""What stands in a request's body: NDJSON, a JSON array or one JSON object, plain or compressed, taken apart into records.

A body comes from outside: it may grow a thousandfold when it is opened, or be no text at all. Opening stops at a limit; elements
of an array are cut out of the text as they stand (msgspec checks the JSON and builds no objects). What a record means, and
whether it is JSON at all, is decided later: a bad line in a good body is quarantined, not refused.
"""

from __future__ import annotations

import io
import zlib

import msgspec
import zstandard

ENCODINGS = ("identity", "gzip", "zstd")
_STEP = 1 << 18
_LARGEST_WINDOW = 1 << 27
_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(msgspec.Raw)


class TooLarge(ValueError):
    """The body is larger than permitted once it is opened."""


def opened(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its compression, at most `limit` bytes. Raises TooLarge, or ValueError for damaged data."""
    try:
        if encoding == "gzip":
            return _gunzip(body, limit)
        if encoding == "zstd":
            return _unzstd(body, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"the body is not {encoding}: {error}") from None
    if len(body) > limit:
        raise TooLarge
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    while body:
        stream = zlib.decompressobj(31)
        while True:
            parts.append(stream.decompress(body, limit + 1))
            limit -= len(parts[-1])
            if limit < 0:
                raise TooLarge
            if stream.eof:
                body = stream.unused_data.lstrip(b"\x00")
                break
            if not stream.unconsumed_tail:
                raise ValueError("the body is not gzip: it ends too early")
            body = stream.unconsumed_tail
    return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    reader = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(io.BytesIO(body), read_across_frames=True)
    while part := reader.read(_STEP):
        parts.append(part)
        limit -= len(part)
        if limit < 0:
            raise TooLarge
    return b"".join(parts)


def split(body: bytes, is_ndjson: bool = False) -> list[bytes]:
    """Records of an opened body. Raises ValueError for what is neither text nor a JSON array."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if b"\x00" in body[:1024]:
        raise ValueError("the body is not text")
    if not body:
        raise ValueError("the body is empty")
    if body.startswith(b"[") and not is_ndjson:
        try:
            return [bytes(one) for one in _array.decode(body)]
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"the body is not a JSON array: {error}") from None
    if body.startswith(b"{") and not is_ndjson and _is_one_object(body):
        return [body]
    return [line for one in body.split(b"\n") if (line := one.strip(b" \t\r"))]


def _is_one_object(body: bytes) -> bool:
    """One object written over several lines, rather than lines of which each is an object."""
    first = body.partition(b"\n")[0]
    if len(first) == len(body):
        return True
    for text, answer in ((first, False), (body, True)):
        try:
            _value.decode(text)
            return answer
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue
    return False
