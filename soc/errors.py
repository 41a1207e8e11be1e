"""Every error that somebody catches, drawn as a tree.

SocError                    anything this product says no with; its text is meant for people
├── ConfigError             a setting is wrong: names file, section and key
├── LogFull                 the event log may not grow: stop reading, try again later
├── QueryError              a query text or tree is wrong: names the character or the field
├── RuleError               a detection rule cannot be used: names file and place
├── NotAllowed              the person may not do this: names the permission
├── Conflict                somebody changed it meanwhile, or the state does not permit it
├── NotFound                no such object
└── ChainBroken             the audit chain does not verify: names the first bad record
"""


class SocError(Exception):
    """Anything this product says no with; the text is meant for people and holds no secret."""


class ConfigError(SocError):
    """A setting is wrong. The text names file, section and key, and what was expected."""


class LogFull(SocError):
    """The event log may not grow now (disk or backlog). Nothing was taken; the sender keeps it and tries again."""


class QueryError(SocError):
    """A query is wrong; `position` is the character in its text, or None for a tree."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class RuleError(SocError):
    """A detection rule cannot be used. The text names file and place."""


class NotAllowed(SocError):
    """The person may not do this. The text names the permission that is missing."""


class Conflict(SocError):
    """Somebody changed it meanwhile, or its state does not permit the change."""


class NotFound(SocError):
    """There is no such object."""


class ChainBroken(SocError):
    """The audit chain does not verify. The text names the first bad record."""
