"""Small worlds for tests: one helper makes an alert, the test says only what it is about."""

from soc.actions import Actor
from soc.model import Alert, Entity, Level, Rule

HOUR = 3_600_000_000
NOON = 1_795_000_000_000_000
ANALYST = Actor("li.na", frozenset({"incidents:write", "incidents:close", "alerts:triage"}))


def an_alert(id_: str = "a1", *entities: str, level: Level = "high", time: int = NOON, **more: object) -> Alert:
    """Entities as 'host:web1'."""
    named = tuple(Entity(*one.split(":", 1)) for one in entities)  # type: ignore[arg-type]
    return Alert(id_, Rule(f"rule-{level}", f"{level} thing", level), time, time, (f"e-{id_}",), named, **more)  # type: ignore[arg-type]
