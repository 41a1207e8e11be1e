"""All of SigmaHQ over the attack corpus, judged; what becomes of broken and unmatched rules; the plan's life on disk."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

import orjson
import pytest
import yaml
from sigma.rule import SigmaRule

from collectors.decode import BatchDecoder
from detections.engine import SigmaDetector, load
from detections.sigma import library
from detections.sigma.frontend import condition_of
from detections.sigma.ir import Node
from soc.fields.sources import LogSource
from soc.model import LoggedBatch, RawBatch
from tests import corpora
from tests.detections.sigma import reference

DECODER = BatchDecoder()


def detector(cache_: Path, *rules: Path) -> SigmaDetector:
    return load(rules, cache_, DECODER.provided(), DECODER.logsources)


def pairs(engine: SigmaDetector, lines: list[bytes], size: int = 400) -> set[tuple[int, str]]:
    """(event, rule id) of JSON lines, through the parsers, in batches."""
    found = []
    for at in range(0, len(lines), size):
        decoded = DECODER.decode(LoggedBatch(at + 1, RawBatch("test", lines[at : at + size], 0, "json")))
        found += [(at + decoded.records[match.event], match.rule.id) for match in engine.match(decoded.events)]
    assert len(found) == len(set(found)), "a pair was found twice"
    return set(found)


@cache
def rules_of_sigmahq() -> list[tuple[str, LogSource, Node]]:
    """(id, log source, condition) of every rule that can be read, by Sigma's own field names."""
    rules = []
    for path in library.files_of([corpora.sigmahq()]):
        document = next(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
        with contextlib.suppress(ValueError):  # placeholders without lists
            rules.append((str(document["id"]), *condition_of(SigmaRule.from_dict(document))))
    return rules


def judged(name: str, step: int) -> set[tuple[int, str]]:
    """What the judge says of every `step`-th event of a corpus."""
    by_key: dict[tuple[object, ...], list[tuple[str, Node]]] = {}
    found: set[tuple[int, str]] = set()
    for number, line in enumerate(corpora.lines(name)):
        if number % step:
            continue
        event = orjson.loads(line)
        key = tuple(event.get(one) for one in ("Channel", "EventID", *reference.TAGS))
        if key not in by_key:
            by_key[key] = [(id_, node) for id_, source, node in rules_of_sigmahq() if reference.applies(source, event)]
        found.update((number, id_) for id_, node in by_key[key] if reference.holds(node, event))
    return found


@pytest.fixture(scope="module")
def sigmahq(tmp_path_factory: pytest.TempPathFactory) -> SigmaDetector:
    return detector(tmp_path_factory.mktemp("cache"), corpora.sigmahq())


@pytest.mark.parametrize(("name", "step", "least"), [("evtx_attack_flat", 1, 1_561), ("mix50k", 100, 2), ("stream50k", 100, 10)])
def test_the_same_pairs_as_the_judge(sigmahq: SigmaDetector, name: str, step: int, least: int) -> None:
    wanted = judged(name, step)
    assert len(wanted) >= least
    found = {(number, rule) for number, rule in pairs(sigmahq, corpora.lines(name)) if number % step == 0}
    assert found == wanted
    assert sigmahq.late_routes == 0


def test_every_attack_pair_is_found_in_the_flat_and_in_the_nested_form(sigmahq: SigmaDetector) -> None:
    flat = pairs(sigmahq, corpora.lines("evtx_attack_flat"))
    assert len(flat) == 1_561  # what two other engines found in the same events
    assert pairs(sigmahq, corpora.lines("evtx_attack_nested"), size=170) == flat


def test_all_of_sigmahq_is_read_but_the_two_with_placeholders(sigmahq: SigmaDetector) -> None:
    files = library.files_of([corpora.sigmahq()])
    refused = [reason for id_, reason in sigmahq.unusable.items() if id_ not in sigmahq.rules]
    assert len(files) == 3_754
    unknown = [reason for reason in refused if "nobody has defined" in reason]
    assert len([reason for reason in refused if "has no list of values" in reason]) == 2
    assert len(refused) == 2 + len(unknown), refused
    assert len(unknown) <= 22


# ------------------------------------------------------------------ rules of our own making

RULE = """
title: Certificate tool fetches a file
id: 00000000-0000-4000-8000-000000000001
level: high
author: somebody
tags: [attack.t1105]
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\certutil.exe', CommandLine|contains: urlcache}
  condition: selection
"""
EVENT = {
    "Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Computer": "pc-7.example.org",
    "Image": "C:\\Windows\\System32\\certutil.exe", "CommandLine": "certutil -URLCACHE -f http://192.0.2.1/a a",
}  # fmt: skip


def written(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_match_names_rule_author_level_and_tags(tmp_path: Path) -> None:
    engine = detector(tmp_path / "cache", written(tmp_path / "rules", one=RULE))
    decoded = DECODER.decode(LoggedBatch(1, RawBatch("test", [orjson.dumps(EVENT)], 0, "json")))
    (match,) = engine.match(decoded.events)
    assert (match.event, match.rule.title, match.rule.level) == (0, "Certificate tool fetches a file", "high")
    assert (match.rule.author, match.rule.tags) == ("somebody", ("attack.t1105",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: [", "not YAML: line 2, column 1"),
        ("- a list", "a rule is a mapping"),
        (RULE.replace("detection:", "detektion:"), "neither detection nor correlation"),
        (RULE.replace("condition: selection", "condition: selektion"), "selektion"),
        (RULE.replace("condition: selection", "condition: '('"), ""),
        (RULE.replace("CommandLine|contains: urlcache", "CommandLine|re: '(?=a)b'"), "invalid perl operator: (?="),
        (RULE.replace("CommandLine|contains: urlcache", r"CommandLine|re: '(a)\1'"), "invalid escape sequence"),
        (RULE.replace("CommandLine|contains: urlcache", "CommandLine|re: '" + "a" * 5_000 + "'"), "at most 4096"),
        (RULE.replace("urlcache", "'%nobody%'").replace("|contains", "|expand"), "has no list of values"),
        (RULE.replace("category: process_creation", "service: no-such-service"), "nobody has defined"),
        (RULE.replace("|endswith", "|endswidth"), "endswidth"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "more than 50000 values"),
        ("x: " + "[" * 60 + "]" * 60, "nested more than 30 deep"),
        ("title: '" + "x" * 600_000 + "'", "larger than 512 KB"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_place_and_stops_no_other(tmp_path: Path, text: str, said: str) -> None:
    engine = detector(tmp_path / "cache", written(tmp_path / "rules", bad=text.replace("0001", "0002"), good=RULE))
    assert set(engine.rules) == {"00000000-0000-4000-8000-000000000001"}
    ((id_, reason),) = engine.unusable.items()
    assert "bad.yml" in id_ + reason
    assert said in reason


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    rules = written(tmp_path / "rules", good=RULE)
    (rules / "bad.yml").write_bytes("title: 监管".encode("gb18030"))
    assert "not UTF-8 at byte 7" in detector(tmp_path / "cache", rules).unusable[str(rules / "bad.yml")]


def test_an_id_counts_once(tmp_path: Path) -> None:
    engine = detector(tmp_path / "cache", written(tmp_path / "rules", a=RULE, b=RULE.replace("title: C", "title: Another c")))
    assert [rule.title for rule in engine.rules.values()] == ["Certificate tool fetches a file"]
    assert any("is used twice" in reason and "b.yml" in reason for reason in engine.unusable.values())


@pytest.mark.parametrize(
    ("logsource", "selection", "said"),
    [
        ("{product: linux, service: sshd}", "{event.outcome: failure}", None),
        ("{product: linux, service: sshd}", "{nobody.sets_this: x}", "no event of sshd has"),
        ("{product: linux, service: sshd}", "{nobody.sets_this: null}", None),
        ("{product: linux, service: sshd}", "{event.outcome: failure, nobody.sets_this: null}", None),
        ("{product: okta, service: okta}", "{eventtype: x}", "no parser provides the log source */okta/okta"),
        ("{category: webserver}", "{cs-method: GET}", None),
        ("{product: windows, service: security}", "{AnyName: x}", None),  # Windows events bring their own names
    ],
)
def test_a_rule_that_no_source_can_satisfy_says_so(tmp_path: Path, logsource: str, selection: str, said: str | None) -> None:
    text = f"title: t\nid: one\nlogsource: {logsource}\ndetection:\n  s: {selection}\n  condition: s\n"
    engine = detector(tmp_path / "cache", written(tmp_path / "rules", one=text))
    assert "one" in engine.rules
    assert (said is None) == ("one" not in engine.unusable)
    assert said is None or said in engine.unusable["one"]


# ------------------------------------------------------------------ the plan


def test_the_plan_is_kept_for_the_owner_alone_and_made_again_when_a_rule_changes(tmp_path: Path) -> None:
    rules = written(tmp_path / "rules", one=RULE)
    detector(tmp_path / "cache", rules)
    (plan,) = (tmp_path / "cache").glob("*.plan")
    assert plan.stat().st_mode & 0o777 == 0o600
    before = plan.stat().st_ino
    detector(tmp_path / "cache", rules)
    assert plan.stat().st_ino == before
    written(rules, one=RULE.replace("level: high", "level: critical"))
    assert {rule.level for rule in detector(tmp_path / "cache", rules).rules.values()} == {"critical"}


@pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 200, "cut"])
def test_a_damaged_plan_is_made_again(tmp_path: Path, content: bytes | str) -> None:
    rules = written(tmp_path / "rules", one=RULE)
    detector(tmp_path / "cache", rules)
    (plan,) = (tmp_path / "cache").glob("*.plan")
    if isinstance(content, str):
        os.truncate(plan, plan.stat().st_size // 2)
    else:
        plan.write_bytes(content)
    assert len(detector(tmp_path / "cache", rules).rules) == 1


def test_no_rules_is_a_detector_that_finds_nothing(tmp_path: Path) -> None:
    engine = detector(tmp_path / "cache", written(tmp_path / "rules"))
    assert engine.match([{"event.dataset": "sshd"}]) == []
    assert engine.match([]) == []
