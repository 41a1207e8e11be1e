"""The relational tables: alerts, incidents and their history, the audit chain, accounts. SQLite or PostgreSQL.

Times are µs UTC. Lists and tables inside a row are JSON text, because both databases have that and nobody queries into it.
A room may add tables of its own to `metadata` (identity does).
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite's rowid is INTEGER; its integers have 64 bits anyway

alert = Table(
    "alert",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("rule_id", String(128), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("rule", JSON, nullable=False),
    Column("time", BigInteger, nullable=False, index=True),
    Column("raised", BigInteger, nullable=False, index=True),
    Column("events", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("dataset", String(128), nullable=False),
    Column("summary", Text, nullable=False),
    Column("sample", Boolean, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("assignee", String(128), nullable=False),
    Column("incident_id", _Number, ForeignKey("incident.id"), index=True),
)
alert_entity = Table(
    "alert_entity",
    metadata,
    Column("alert_id", String(40), ForeignKey("alert.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(512), primary_key=True),
    Index("alert_entity_name", "kind", "name"),
)
incident = Table(
    "incident",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("title", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("owner", String(128), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False, index=True),
    Column("closed", BigInteger),
    Column("alerts", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sample", Boolean, nullable=False),
)
incident_entity = Table(
    "incident_entity",
    metadata,
    Column("incident_id", _Number, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("last", BigInteger, nullable=False),
    Index("incident_entity_name", "kind", "name"),
)
note = Table(
    "note",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("incident_id", _Number, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)
signal = Table(
    "signal",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("group", String(512), primary_key=True),
    Column("base", String(128), primary_key=True),
    Column("event", String(32), primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    Column("entities", JSON, nullable=False),
    Index("signal_time", "rule", "group", "time"),
)
fired = Table(
    "fired",
    metadata,
    Column("alert_id", String(40), primary_key=True),
    Column("rule", String(128), nullable=False),
    Column("group", String(512), nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("fired_group", "rule", "group", "time"),
)
audit = Table(
    "audit",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False, index=True),
    Column("action", String(64), nullable=False),
    Column("object", String(256), nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
job = Table(
    "job",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("started", BigInteger, nullable=False),
    Column("finished", BigInteger),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
)
