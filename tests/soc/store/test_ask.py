"""One question, whose files may be broken. More in test_reader.py."""

from pathlib import Path

import pytest

from soc.errors import QueryError
from soc.query import Cidr
from soc.store.ask import Asker
from soc.store.catalog import Catalog
from soc.store.selection import Selection
from soc.store.sql import Scan
from tests.soc.store.worlds import segments


def test_a_question_that_is_wrong_itself_breaks_no_segment(tmp_path: Path) -> None:
    segments(tmp_path, [1])
    catalog, asker = Catalog(tmp_path), Asker(tmp_path, 1, 100)
    with pytest.raises(QueryError, match="could not answer"):
        asker.ask(Selection(catalog.snapshot().segments), lambda _: "select error('my fault') from {source}")
    assert asker.broken == {}
    asker.close()
    catalog.close()


def test_values_that_stay_unused_are_not_given(tmp_path: Path) -> None:
    asker = Asker(tmp_path, 1, 100)

    def statement(scan: Scan) -> str:
        scan.bind("unused")
        return f"select {scan.bind('used')} from {{source}}"

    assert asker.ask(Selection([]), statement) == ([], True)
    asker.close()


def test_ipv6_addresses_are_compared_as_they_are_written(tmp_path: Path) -> None:
    segments(tmp_path, [1], also={"source.ip": "2001:DB8::0:1"})
    segments(tmp_path, [2], worker=1, also={"source.ip": "10.0.0.1"})
    catalog, asker = Catalog(tmp_path), Asker(tmp_path, 1, 100)
    where = Cidr("source.ip", "2001:db8::1")
    rows, _ = asker.ask(
        Selection(catalog.snapshot().segments), lambda scan: f"select count(*) from {{source}} where {scan.where(where)}", where
    )
    assert rows == [(10,)]
    asker.close()
    catalog.close()
