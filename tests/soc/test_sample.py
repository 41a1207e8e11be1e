"""The sample scenario: the same every time, understood by the parsers, one story, gone without a trace."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from soc import wiring
from soc.cases import AlertFilter
from soc.config import Home
from soc.model import now
from soc.pipeline import SAMPLE
from soc.query import All, Query
from soc.sample import ATTACKER, batches

NOW = 1_795_500_000_000_000


def test_the_same_moment_gives_the_same_records_and_another_only_other_times() -> None:
    assert batches(NOW) == batches(NOW)
    one, other = batches(NOW), batches(NOW + 3_600_000_000)
    assert [(batch.source, len(batch.records)) for batch in one] == [(batch.source, len(batch.records)) for batch in other]


def test_every_record_is_understood_and_marked() -> None:
    from collectors.decode import BatchDecoder
    from soc.model import LoggedBatch

    decoder, programs, count = BatchDecoder(), Counter[str](), 0
    for number, batch in enumerate(batches(NOW)):
        assert batch.source.startswith(SAMPLE)
        decoded = decoder.decode(LoggedBatch(number + 1, batch))
        assert not decoded.quarantined
        assert set(decoded.unparsed) <= {"lldpd"}  # one on purpose: the sources page should have something to show
        times = [event["@timestamp"] for event in decoded.events]
        assert all(isinstance(time, int) and NOW - 25 * 3_600_000_000 < time <= NOW for time in times)
        programs.update(decoded.parsers)
        count += len(batch.records)
    assert 2_500 < count < 4_000
    assert set(programs) >= {"sshd", "sudo", "cron", "nginx", "auditd", "postgresql", "slapd", "business_audit", "netfilter"}
    assert len({batch.source for batch in batches(NOW)}) >= 8


def test_the_attack_is_one_incident_of_many_rules_and_leaves_no_trace(tmp_path: Path) -> None:
    config = wiring.settings(Home(tmp_path), {})
    worker = wiring.worker(config, 0, 1)
    loaded = wiring.load_sample(config)
    while worker.step():
        pass
    worker.flush()
    worker.close()
    cases, store = wiring.cases(config), wiring.event_store(config)
    assert store.count(All(), None, None) > 2_500
    about = [row for row in cases.alerts(AlertFilter(), limit=200) if row.incident]
    story = Counter(row.incident for row in about).most_common(1)[0][0]
    rules = {row.alert.rule.title for row in about if row.incident == story}
    assert len(rules) >= 6, rules
    assert {"SSH sign-in after repeated failures", "Database dump soon after an SSH sign-in"} <= rules
    assert "A bulk export from a business system" in rules
    entities = {entity.name for row in about if row.incident == story for entity in row.alert.entities}
    assert {ATTACKER, "db-01", "bastion-01"} <= entities
    assert all(row.alert.sample for row in about)

    removed = wiring.remove_sample(config)
    assert removed["events"] > 2_500
    assert store.count(All(), None, None) == 0
    assert store.search(Query(All(), since=0, until=now())).events == []
    assert cases.alerts(AlertFilter(), limit=10) == []
    assert cases.incidents(limit=10) == []
    assert wiring.event_log(config).ledger() == []
    assert loaded > removed["events"]  # some records became one event
    store.close()
    cases.close()
