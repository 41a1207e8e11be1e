"""The default store keeps the contract."""

from collections.abc import Sequence
from pathlib import Path

from soc.model import Event
from soc.store.compact import compact
from soc.store.parquet import ParquetStore, ParquetWriter
from tests.contracts.store_contract import BATCH, PAIR, StoreContract


class TestParquetStore(StoreContract):
    @classmethod
    def open(cls, folder: Path) -> PAIR:
        return ParquetWriter(folder), ParquetStore(folder, threads=1, memory_mb=200)

    @classmethod
    def fill(cls, pair: PAIR, events: Sequence[Event]) -> None:
        """Compacted segments, small ones, and hot events."""
        writer, store = pair
        assert isinstance(store, ParquetStore)
        for start in range(0, len(events), BATCH):
            seq = start // BATCH + 1
            writer.append(seq, events[start : start + BATCH])
            if seq % 5 == 0 and seq < 35:
                writer.flush()
            if seq == 20:
                assert compact(store.folder, fewest=2)["before"] > 0
        assert writer.waiting > 0
