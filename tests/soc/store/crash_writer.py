"""A writer that lives until it is killed: appends small batches for ever, flushes now and then, and says what is durable.

    python -m tests.soc.store.crash_writer FOLDER FIRST_SEQ

Prints `appended SEQ` and `flushed SEQ` (everything up to SEQ is durable), one line each.
"""

import random
import sys
from pathlib import Path

from soc.model import Event, event_id
from soc.store.parquet import ParquetWriter

EACH = 20


def batch(seq: int) -> list[Event]:
    return [
        {"@timestamp": 1_763_900_000_000_000 + seq * 1000 + i, "event.id": event_id(seq, i), "event.dataset": f"d{i % 3}",
         "message": f"line {seq} {i}", "acme.seq": str(seq)}
        for i in range(EACH)
    ]  # fmt: skip


def main(folder: Path, first: int) -> None:
    writer = ParquetWriter(folder)
    dice = random.Random(first)
    seq = first
    while True:
        writer.append(seq, batch(seq))
        print("appended", seq, flush=True)
        if dice.random() < 0.3:
            writer.flush()
            print("flushed", seq, flush=True)
        seq += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
