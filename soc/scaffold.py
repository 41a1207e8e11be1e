"""`make new kind=parser name=nginx`: a new extension with its test, in its place, passing from the first minute.

What is written is a start that runs, to be replaced line by line; `docs/handbook.md` says what each kind offers.
"""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_PARSER = '''"""@name@: say here what its lines tell, and from which source you know their format."""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("@name@",)
dataset = "@name@"
logsources = {"@name@": (None, "linux", "@name@")}
fields = ("event.category", "event.type", "event.action", "event.outcome", "user.name", "source.ip")

_LINE = re.compile(r"(\\S{1,64}) signed in from (\\S{1,45})").fullmatch


def parse(line: RawLine) -> Fields | None:
    """One line. event.action: @name@_login."""
    if not (found := _LINE(line.body)):
        return None
    user, address = found.groups()
    return {
        "event.category": ["authentication"],
        "event.type": ["start"],
        "event.action": "@name@_login",
        "event.outcome": "success",
        "user.name": user,
        "source.ip": address,
    }
'''
_PARSER_TEST = '''"""@name@: what each line tells, and which lines only look alike."""

from __future__ import annotations

import pytest

from collectors.parsers import @name@
from soc.contracts import RawLine


@pytest.mark.parametrize(("body", "action", "user"), [
    ("li.na signed in from 192.0.2.7", "@name@_login", "li.na"),
])  # fmt: skip
def test_lines(body: str, action: str, user: str) -> None:
    event = @name@.parse(RawLine(body, "@name@"))
    assert event is not None
    assert (event["event.action"], event["user.name"]) == (action, user)
    assert set(event) <= set(@name@.fields)


@pytest.mark.parametrize("body", [
    "",
    "li.na signed in from 192.0.2.7 and more",  # forged: something follows
    "somebody said: li.na signed in from 192.0.2.7",
])  # fmt: skip
def test_near_misses(body: str) -> None:
    assert @name@.parse(RawLine(body, "@name@")) is None
'''
_COLLECTOR = '''"""@name@: say here what it reads, how it is kept from losing anything, and what it counts as lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from soc.contracts import Appender
from soc.model import RawBatch, now


@dataclass(frozen=True, slots=True)
class Config:
    """@name@: what its section of the settings holds."""

    is_on: bool = False
    """Whether it runs."""


class @class@:
    """Reads from the outside and appends."""

    def __init__(self, config: Config, log: Appender) -> None:
        self._config, self._log = config, log

    async def start(self) -> Mapping[str, str]:
        """Open what it listens on; the addresses really bound, by name."""
        return {}

    async def stop(self) -> None:
        """Take no more, append what was taken, return."""

    def take(self, records: list[bytes]) -> None:
        """Make records durable. Raises LogFull: then nothing was taken, and the sender must keep them."""
        self._log.append([RawBatch("@name@", records, now())])
'''
_COLLECTOR_TEST = '''"""@name@: what it takes is in the log, once."""

from __future__ import annotations

import asyncio

from collectors import @name@
from tests.collectors.worlds import MemoryLog


async def _started(one: @name@.@class@) -> dict[str, str]:
    return dict(await one.start())


def test_it_appends_what_it_takes() -> None:
    log = MemoryLog()
    one = @name@.@class@(@name@.Config(is_on=True), log)
    assert asyncio.run(_started(one)) == {}
    one.take([b"a line"])
    asyncio.run(one.stop())
    assert [list(batch.records) for batch in log.batches] == [[b"a line"]]
'''
_PAGE = '''"""@name@: the question that this page answers."""

from __future__ import annotations

from dash import html

from dashboards.context import Context
from dashboards.parts import empty

title = "@name@"
permission = "overview:read"
path = "/@name@"
group, symbol, place = "operations", "flag", 90


def layout(ctx: Context) -> html.Div:
    """The page as this person sees it; texts come from dashboards/i18n/<language>/@name@.po."""
    head = html.Div([html.H1(ctx.t("@name@"))], className="s-head")
    return html.Div([head, html.Section(empty(ctx, "no_data"), className="s-card")], className="s-page")
'''
_PAGE_TEST = '''"""@name@: what the page shows, and to whom."""

from __future__ import annotations

from dashboards.i18n import LANGUAGES, translate
from dashboards.pages import @name@
from identity.roles import PERMISSIONS


def test_it_says_who_may_see_it_and_is_called_something_in_every_language() -> None:
    assert @name@.permission in PERMISSIONS
    assert all(translate(language, @name@.title) != "" for language in LANGUAGES)
'''
_PO = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "@name@"\nmsgstr "@name@"\n'
_RULE = """title: @name@
name: @folder@_@name@
id: @id@
status: experimental
description: |
  What happens, why it matters, and what to do about it.
author: Lingshu SOC
date: @date@
tags: [attack.initial-access, attack.t1078]
falsepositives:
  - Who does this and means well.
level: medium
logsource: {product: linux, service: sshd}
detection:
  selection: {event.action: ssh_login, event.outcome: success, user.name: nobody}
  condition: selection
"""
_LINE = "<86>2026-11-24T03:12:01+08:00 host-1 sshd[7]: Accepted password for @user@ from 192.0.2.7 port 52150 ssh2"
_CASE = '{"case": "@why@", "lines": ["' + _LINE + '"]}\n'

_SAMPLE = "Nov 24 03:12:01 host-1 @name@[7]: li.na signed in from 192.0.2.7\n"
_MODULES = {
    "parser": ("collectors/parsers", _PARSER, _PARSER_TEST),
    "collector": ("collectors", _COLLECTOR, _COLLECTOR_TEST),
    "page": ("dashboards/pages", _PAGE, _PAGE_TEST),
}

KINDS = ("parser", "collector", "page", "rule")


def files(kind: str, name: str) -> dict[str, str]:
    """Path below the checkout -> text of each file of a new extension."""
    if kind == "rule":
        folder, _, own = name.rpartition("/")
        place = f"detections/rules/{folder or 'linux'}/{own}"
        match = _CASE.replace("@why@", "nobody signs in").replace("@user@", "nobody")
        miss = _CASE.replace("@why@", "somebody else").replace("@user@", "li.na")
        made = {f"{place}/rule.yml": _RULE, f"{place}/match.jsonl": match, f"{place}/miss.jsonl": miss}
        name = own
    else:
        folder = ""
        room, code, test = _MODULES[kind]
        made = {f"{room}/{name}.py": code, f"tests/{room}/test_{name}.py": test}
        if kind == "parser":
            made[f"tests/data/collectors/parsers/{name}.log"] = _SAMPLE
        if kind == "page":
            made |= {f"dashboards/i18n/{language}/{name}.po": _PO for language in ("zh", "en")}
    words = {"@name@": name, "@class@": "".join(part.title() for part in name.split("_")), "@folder@": folder or "linux"}
    words |= {"@id@": str(uuid.uuid4()), "@date@": date.today().isoformat()}
    return {path: _filled(text, words) for path, text in made.items()}


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def write(kind: str, name: str, root: Path = ROOT) -> list[Path]:
    """Write the files of a new extension; ValueError for a wrong kind or name, FileExistsError if one is there."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; known: {', '.join(KINDS)}")
    shape = r"([a-z][a-z0-9_]{0,30}/)?[a-z][a-z0-9_]{1,60}" if kind == "rule" else r"[a-z][a-z0-9_]{1,40}"
    if not re.fullmatch(shape, name):
        example = "linux/root_login" if kind == "rule" else "nginx"
        raise ValueError(f"{name!r} is no name for a {kind}: small letters, digits and _, such as {example}")
    made = {root / path: text for path, text in files(kind, name).items()}
    for path in made:
        if path.exists():
            raise FileExistsError(f"{path} is there already")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(made)


def main(arguments: Sequence[str]) -> int:
    usage = f"make new kind=<{'|'.join(KINDS)}> name=<name>, for example: make new kind=parser name=nginx\n"
    if len(arguments) != 2 or "-h" in arguments or "--help" in arguments:
        sys.stderr.write(usage)
        return 0 if "--help" in arguments or "-h" in arguments else 2
    try:
        made = write(arguments[0], arguments[1])
    except (ValueError, FileExistsError) as error:
        sys.stderr.write(f"{error}\n{usage}")
        return 2
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}\n" for path in made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
