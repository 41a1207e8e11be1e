"""Windows event log files: each record as one JSON line, as Windows itself nests it (Event.System, Event.EventData)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from soc.errors import SocError


def json_lines(path: Path) -> Iterator[bytes]:
    """JSON of each record. A damaged record is given as {"evtx_error": …}, so that it is quarantined and counted, not lost."""
    try:
        from evtx import PyEvtxParser
    except ImportError:
        raise SocError(f"{path}: EVTX files need the extra 'windows': pip install 'lingshu-soc[windows]'") from None
    parser = iter(PyEvtxParser(str(path)).records_json())
    while True:
        try:
            record = next(parser)
        except StopIteration:
            return
        except RuntimeError as error:
            yield orjson.dumps({"evtx_error": str(error)[:500]})
            continue
        yield orjson.dumps(orjson.loads(record["data"]))
