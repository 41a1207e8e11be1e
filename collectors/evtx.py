"""Windows event log files: each record as one JSON line, as Windows itself nests it (Event.System, Event.EventData)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from soc.errors import SocError


def json_lines(path: Path) -> Iterator[bytes]:
    """JSON of each record, in bounded memory. A damaged record is {"evtx_error": …}: quarantined and counted, not lost.

    Raises SocError where the file is no EVTX file, or where the extra that reads them is not installed.
    """
    try:
        from evtx import PyEvtxParser
    except ImportError:
        raise SocError(f"{path}: EVTX files need the extra 'windows': pip install 'lingshu-soc[windows]'") from None
    try:
        parser = iter(PyEvtxParser(str(path)).records_json())
    except (RuntimeError, OSError) as error:
        raise SocError(f"{path}: {str(error)[:500]}") from None
    while True:
        try:
            record = next(parser)
        except StopIteration:
            return
        except RuntimeError as error:
            yield orjson.dumps({"evtx_error": str(error)[:500]})
            continue
        if record is not None:
            yield _on_one_line(str(record["data"]))


def _on_one_line(text: str) -> bytes:
    try:
        return orjson.dumps(orjson.loads(text))
    except ValueError:
        return text.replace("\n", " ").encode("utf-8", "replace")
