import sys
from pathlib import Path

import pytest

from collectors import evtx
from soc.errors import SocError


def test_what_is_no_evtx_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.evtx"
    path.write_bytes(b"ElfFile\x00 and nothing else")
    with pytest.raises(SocError, match=r"broken\.evtx"):
        list(evtx.json_lines(path))


def test_without_the_extra_its_name_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)
    with pytest.raises(SocError, match=r"pip install 'lingshu-soc\[windows\]'"):
        list(evtx.json_lines(tmp_path / "x.evtx"))


def test_damaged_records_are_given_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged record costs itself only. The reader's own behaviour is played: it raises for one and goes on."""

    class Records:
        def __init__(self) -> None:
            self._left: list[object] = [{"data": '{\n "Event": 1\n}'}, RuntimeError("bad chunk"), {"data": "no\nJSON"}]

        def __iter__(self) -> "Records":
            return self

        def __next__(self) -> object:
            if not self._left:
                raise StopIteration
            if isinstance(one := self._left.pop(0), Exception):
                raise one
            return one

    class Module:
        class PyEvtxParser:
            def __init__(self, path: str) -> None: ...

            def records_json(self) -> Records:
                return Records()

    monkeypatch.setitem(sys.modules, "evtx", Module)
    assert list(evtx.json_lines(tmp_path / "x")) == [b'{"Event":1}', b'{"evtx_error":"bad chunk"}', b"no JSON"]
