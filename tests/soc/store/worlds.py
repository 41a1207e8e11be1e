"""Small stores for the tests of their parts."""

from collections.abc import Sequence
from pathlib import Path

from soc.model import Event, event_id
from soc.store.catalog import Segment
from soc.store.parquet import ParquetWriter

START = 1_763_900_000_000_000


def events(seq: int, count: int = 10, also: Event | None = None) -> list[Event]:
    """`count` events of a second each, ten seconds from sequence to sequence."""
    return [
        {"@timestamp": START + (seq * 10 + i) * 1_000_000, "event.id": event_id(seq, i), "event.dataset": "a.b"}
        | {"message": f"{seq} {i}"} | (also or {})
        for i in range(count)
    ]


def segments(folder: Path, seqs: Sequence[int], worker: int = 0, also: Event | None = None) -> None:
    """One segment per sequence."""
    writer = ParquetWriter(folder, worker)
    for seq in seqs:
        writer.append(seq, events(seq, also=also))
        writer.flush()
    writer.close()


def a_segment(
    file: str = "s", since: int = 0, until: int = 9, datasets: tuple[str, ...] = ("a",), columns: frozenset[str] = frozenset()
) -> Segment:
    return Segment(file, datasets, 10, 100, since, until, "a", "b", written=0, columns=columns | {"@timestamp", "event.id"})
