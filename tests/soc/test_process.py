"""What every process does alike: one of a name, seen by the others, gone without a trace."""

import os
from pathlib import Path

import pytest

from soc.config import Home
from soc.process import AlreadyRunning, Heartbeat, only_one, states


def test_only_one_process_of_a_name_holds_a_home(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    with only_one(home, "web"):
        with pytest.raises(AlreadyRunning, match=str(os.getpid())), only_one(home, "web"):
            pass
        with only_one(home, "collect"):
            pass
    with only_one(home, "web", wait_secs=0):
        pass


def test_a_heartbeat_is_seen_and_goes_with_its_process(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    heart = Heartbeat(home, "work-0", lambda: {"events": 7})
    heart.beat()
    (home.run / "broken.json").write_text("{")
    found = states(home)
    assert list(found) == ["work-0"]
    assert (found["work-0"]["alive"], found["work-0"]["events"], found["work-0"]["pid"]) == (True, 7, os.getpid())
    assert found["work-0"]["rss"] > 1 << 20
    heart.gone()
    assert states(home) == {}
