"""What is there: the ledger, alerts, incidents, events, sources, quarantine and the audit chain."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated, Any

import typer

from soc.cases import AlertFilter, AlertRow, IncidentRow
from soc.cli import Json, as_json, config, err, out, table
from soc.contracts import LedgerLine
from soc.errors import NotFound, SocError
from soc.model import LEVELS, Event, iso, now

Limit = Annotated[int, typer.Option(help="At most so many rows.")]


def add_to(app: typer.Typer) -> None:
    app.command("ledger")(ledger)
    app.command("hunt")(hunt)
    alerts = typer.Typer(help="Alerts.", no_args_is_help=True)
    alerts.command("list")(list_alerts)
    incidents = typer.Typer(help="Incidents: list, show, comment, close.", no_args_is_help=True)
    incidents.command("list")(list_incidents)
    incidents.command("show")(show_incident)
    incidents.command("comment")(comment)
    incidents.command("close")(close)
    sources = typer.Typer(help="Sources: what sends, what is silent, what no parser knows.", no_args_is_help=True)
    sources.command("list")(list_sources)
    sources.command("unparsed")(unparsed)
    quarantine = typer.Typer(help="Records of which not even the envelope could be read.", no_args_is_help=True)
    quarantine.command("list")(list_quarantine)
    quarantine.command("replay")(replay_quarantine)
    audit = typer.Typer(help="The audit chain: list, verify, export.", no_args_is_help=True)
    audit.command("list")(list_audit)
    audit.command("verify")(verify_audit)
    audit.command("export")(export_audit)
    for name, group in (
        ("alerts", alerts),
        ("incidents", incidents),
        ("sources", sources),
        ("quarantine", quarantine),
        ("audit", audit),
    ):
        app.add_typer(group, name=name)


def ledger(json_: Json = False) -> None:
    """The account of every record: received = stored + quarantined + duplicate + pending. Status 1 if it does not balance.

    Example: soc ledger --json
    """
    from soc import wiring

    lines = wiring.event_log(config()).ledger()
    total = _total(lines)
    rows = [_account(line) for line in lines]
    if json_:
        as_json([{"sources": rows, "total": _account(total), "balances": all(line.balances for line in [*lines, total])}])
    else:
        table(
            [*rows, _account(total)] if rows else [], "Nothing was received yet. Point a source at a listener: docs/collectors.md"
        )
    if not all(line.balances for line in lines):
        raise typer.Exit(1)


def _account(line: LedgerLine) -> dict[str, Any]:
    names = ("source", "received", "stored", "quarantined", "duplicate", "pending", "dropped")
    return {name: getattr(line, name) for name in names} | {"balances": line.balances}


def _total(lines: list[LedgerLine]) -> LedgerLine:
    names = ("received", "stored", "quarantined", "duplicate", "pending", "dropped", "bytes")
    return LedgerLine("total", **{name: sum(getattr(line, name) for line in lines) for name in names})


def hunt(
    query: Annotated[
        str, typer.Argument(help="For example: user.name:zhang* AND source.ip:10.0.0.0/8 AND NOT event.outcome:success")
    ],
    last: Annotated[str, typer.Option(help="How far back, such as 15m, 24h, 30d; 'all' for everything.")] = "all",
    limit: Limit = 100,
    fields: Annotated[str, typer.Option(help="Only these fields, separated by commas.")] = "",
    count: Annotated[bool, typer.Option("--count", help="Only how many.")] = False,
    json_: Json = False,
) -> None:
    """Search stored events, newest first.

    Example: soc hunt 'event.action:ssh_login AND event.outcome:failure | top 10 source.ip' --last 24h --json
    """
    from soc import wiring
    from soc.fields import catalogue
    from soc.query import Query
    from soc.query_text import parse_hunt

    store = wiring.event_store(config())
    hunted = parse_hunt(query, now(), {*store.fields(), *catalogue()})
    where = hunted.where
    since = None if last == "all" else now() - _micros(last)
    if hunted.top is not None:
        buckets = store.aggregate(where, {"top": hunted.top}, since)["top"]
        assert isinstance(buckets, list)
        rows = [dict(zip(hunted.top.fields, one.key, strict=True)) | {"count": one.count} for one in buckets]
        as_json(rows) if json_ else table(rows, "No event matches.")
        return
    if count:
        found = store.count(where, since)
        as_json([{"count": found}]) if json_ else out(str(found))
        return
    wanted = tuple(part.strip() for part in fields.split(",") if part.strip()) or None
    result = store.search(Query(where, since=since, limit=limit, fields=wanted))
    if json_:
        as_json(shown(event) for event in result.events)
    elif not result.events:
        out("No event matches. A wider time (--last all) or fewer conditions may.")
    else:
        for event in result.events:
            shown_ = shown(event)
            names = ("@timestamp", "event.dataset", "host.name", "message")
            out("  ".join(str(shown_.get(name, "")) for name in names))
    if result.partial:
        err("soc: these are not all: part of the store could not be asked")


def shown(event: Event) -> dict[str, Any]:
    """An event for people and scripts: dates as RFC 3339."""
    from soc.fields import type_of

    return {name: iso(value) if isinstance(value, int) and type_of(name) == "date" else value for name, value in event.items()}


def _micros(text: str) -> int:
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
    if len(text) > 1 and text[-1] in units and text[:-1].isdigit():
        return int(text[:-1]) * units[text[-1]] * 1_000_000
    raise SocError(f"{text!r} is no time span; write 15m, 24h or 30d")


# ------------------------------------------------------------------ alerts and incidents


def list_alerts(
    limit: Limit = 1000,
    level: Annotated[str, typer.Option(help="Only these levels, separated by commas.")] = "",
    json_: Json = False,
) -> None:
    """Alerts, newest first.

    Example: soc alerts list --level high,critical --json
    """
    from soc import wiring

    wanted = tuple(one for one in LEVELS if one in level.split(","))
    if level and not wanted:
        raise SocError(f"no such level: {level}; known: {', '.join(LEVELS)}")
    rows = wiring.cases(config()).alerts(AlertFilter(levels=wanted), limit)
    if json_:
        as_json(alert_json(row) for row in rows)
        return
    table(
        [
            {
                "raised": iso(r.alert.raised)[:19],
                "level": r.alert.rule.level,
                "rule": r.alert.rule.title,
                "times": r.alert.count,
                "about": ", ".join(e.name for e in r.alert.entities[:3]),
                "incident": r.incident or "",
            }
            for r in rows
        ],
        "No alert. `soc sources list` says whether anything arrives, `soc sample load` shows what alerts look like.",
    )


def alert_json(row: AlertRow) -> dict[str, Any]:
    one = row.alert
    return {
        "id": one.id,
        "rule": one.rule.id,
        "title": one.rule.title,
        "level": one.rule.level,
        "tags": list(one.rule.tags),
        "author": one.rule.author,
        "time": iso(one.time),
        "raised": iso(one.raised),
        "events": list(one.events),
        "count": one.count,
        "entities": [asdict(entity) for entity in one.entities],
        "source": one.source,
        "dataset": one.dataset,
        "summary": one.summary,
        "status": row.status,
        "verdict": row.verdict,
        "incident": row.incident,
        "sample": one.sample,
    }


def list_incidents(
    limit: Limit = 100,
    status: Annotated[
        str, typer.Option(help="Only these, separated by commas: detected, graded, responding, reported, closed.")
    ] = "",
    json_: Json = False,
) -> None:
    """Incidents, latest activity first.

    Example: soc incidents list --status detected,responding
    """
    from soc import wiring

    rows = wiring.cases(config()).incidents([one for one in status.split(",") if one], limit)
    if json_:
        as_json(incident_json(row) for row in rows)
        return
    table(
        [
            {
                "id": r.id,
                "level": r.level,
                "status": r.status,
                "alerts": r.alerts,
                "title": r.title,
                "owner": r.owner or "-",
                "last": iso(r.last)[:19],
            }
            for r in rows
        ],
        "No incident.",
    )


def incident_json(row: IncidentRow) -> dict[str, Any]:
    times = {
        name: iso(value) if (value := getattr(row, name)) is not None else None for name in ("opened", "first", "last", "closed")
    }
    return asdict(row) | {"number": row.number} | times


def show_incident(id_: Annotated[int, typer.Argument(metavar="ID")], json_: Json = False) -> None:
    """One incident with its entities, alerts and history.

    Example: soc incidents show 1 --json
    """
    from soc import wiring

    cases = wiring.cases(config())
    row = cases.incident(id_)
    if row is None:
        raise NotFound(f"there is no incident {id_}; `soc incidents list` shows those there are")
    alerts = cases.alerts(AlertFilter(incident=id_), 1000, order="time")
    entities, notes = cases.incident_entities(id_), cases.notes(id_)
    if json_:
        history = [asdict(one) | {"time": iso(one.time)} for one in notes]
        as_json(
            [
                incident_json(row)
                | {"entities": [asdict(e) for e in entities], "alert_list": [alert_json(a) for a in alerts], "history": history}
            ]
        )
        return
    out(f"{row.number}  {row.level}  {row.status}  {row.title}")
    out("about: " + ", ".join(f"{entity.kind} {entity.name}" for entity in entities))
    table(
        [
            {"time": iso(a.alert.time)[:19], "level": a.alert.rule.level, "rule": a.alert.rule.title, "times": a.alert.count}
            for a in alerts
        ],
        "no alerts",
    )
    for one in notes:
        change = f"{one.before} → {one.after}" if one.before else one.after
        out(f"{iso(one.time)[:19]}  {one.actor}  {one.kind}  {change}  {one.text}".rstrip())


def _operator() -> Any:
    """Whoever may run this command as the SOC's own system user may do everything in it; the audit trail says who it was."""
    from soc.actions import Actor

    everything = ("incidents:write", "incidents:close", "alerts:triage", "sources:replay", "sample:write")
    return Actor(f"cli:{getpass.getuser()}", frozenset(everything))


def comment(id_: Annotated[int, typer.Argument(metavar="ID")], text: str) -> None:
    """Add a comment.

    Example: soc incidents comment 1 "asked the owner, waiting"
    """
    from soc import wiring
    from soc.actions import Actions

    Actions(wiring.cases(config())).comment(_operator(), id_, text)


def close(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    verdict: Annotated[str, typer.Option(help="true_positive, false_positive, benign or undetermined.")],
    reason: Annotated[str, typer.Option(help="What it was, and what was done.")],
) -> None:
    """Close an incident.

    Example: soc incidents close 1 --verdict benign --reason "penetration test of week 47"
    """
    from soc import wiring
    from soc.actions import Actions

    Actions(wiring.cases(config())).change_status(_operator(), id_, "closed", reason, verdict=verdict)


# ------------------------------------------------------------------ sources and quarantine


def list_sources(json_: Json = False) -> None:
    """Every source with what it sent, when it was last heard, and how much of it never arrived.

    Example: soc sources list
    """
    from soc import wiring

    lines = wiring.event_log(config()).ledger()
    rows = [
        _account(line) | {"first": iso(line.first) if line.first else "", "last": iso(line.last) if line.last else ""}
        for line in lines
    ]
    if json_:
        as_json(rows)
    else:
        table(
            [{name: row[name] for name in ("source", "received", "dropped", "last")} for row in rows],
            "No source has sent anything yet. Point one at a listener: docs/collectors.md",
        )


def unparsed(json_: Json = False) -> None:
    """Programs whose lines no parser knows. They are stored and searchable; a parser would make their fields so.

    Example: soc sources unparsed
    """
    from soc import wiring

    rows = [{"source": s, "program": p, "events": n} for s, p, n in wiring.event_log(config()).unparsed()]
    as_json(rows) if json_ else table(rows, "Every program that was heard has a parser.")


def list_quarantine(
    limit: Limit = 100,
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
    json_: Json = False,
) -> None:
    """Quarantined records with the reason, newest first.

    Example: soc quarantine list --source syslog
    """
    from soc import wiring

    found = wiring.event_log(config()).quarantine(source or None, limit)
    rows = [
        {
            "id": q.id,
            "source": q.source,
            "received": iso(q.received),
            "reason": q.reason,
            "size": len(q.record),
            "record": q.record[:200].decode("utf-8", "replace"),
        }
        for q in found
    ]
    as_json(rows) if json_ else table(rows, "Quarantine is empty.")


def replay_quarantine(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids from `soc quarantine list`; all of them without.")] = None,
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
) -> None:
    """Send quarantined records through the pipeline again, after a parser was added or mended.

    Example: soc quarantine replay --source syslog
    """
    from soc import wiring
    from soc.actions import Actions

    settings = config()
    log = wiring.event_log(settings)
    wanted = ids or [one.id for one in log.quarantine(source or None, 1_000_000)]
    done = Actions(wiring.cases(settings), log).replay_quarantine(_operator(), wanted)
    out(f"{done} records go through the pipeline again; those that still cannot be read come back to quarantine")


# ------------------------------------------------------------------ audit


def list_audit(limit: Limit = 100, json_: Json = False) -> None:
    """Who did what, newest first.

    Example: soc audit list --limit 20
    """
    from soc import audit, wiring

    rows = [one.as_json() for one in audit.records(wiring.cases(config()).engine, limit=limit)]
    if json_:
        as_json(rows)
    else:
        table(
            [{name: row[name] for name in ("seq", "at", "actor", "action", "object", "outcome")} for row in rows],
            "No record yet.",
        )


def verify_audit(json_: Json = False) -> None:
    """Check the whole chain. Ends with status 2 and names the first bad record if it does not hold.

    Example: soc audit verify
    """
    from soc import audit, wiring

    count, head = audit.verify(audit.export(wiring.cases(config()).engine))
    as_json([{"records": count, "head": head, "verified": True}]) if json_ else out(f"{count} records, unbroken; head {head}")


def export_audit() -> None:
    """The whole chain as JSON lines, oldest first, to be verified elsewhere.

    Example: soc audit export > audit.jsonl
    """
    from soc import audit, wiring

    as_json(one.as_json() for one in audit.export(wiring.cases(config()).engine))
