"""The reference store keeps the contract that it defines."""

from pathlib import Path

from soc.store.memory import MemoryStore
from tests.contracts.store_contract import PAIR, StoreContract


class TestMemoryStore(StoreContract):
    @classmethod
    def open(cls, folder: Path) -> PAIR:
        store = MemoryStore()
        return store, store
