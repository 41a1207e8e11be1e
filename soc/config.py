"""Typed settings from one TOML file, each with an environment twin.

A section is a frozen dataclass; its fields carry unit-suffixed names and docstrings, which are the help text. The kernel's
sections stand here; an extension brings its own `Config` (`collectors/syslog.py` ↔ section `[collectors.syslog]`). Unknown
sections and keys are errors: a misspelt setting that is silently ignored is how a SOC goes blind.

`[store] retention_days` ↔ `SOC_STORE__RETENTION_DAYS`; `[collectors.syslog] listen` ↔ `SOC_COLLECTORS__SYSLOG__LISTEN`;
lists are given as TOML (`'["udp://0.0.0.0:514"]'`) or separated by commas.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from soc.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Web:
    """The pages and the programming interface."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback belongs behind a TLS proxy."""
    port: int = 8050
    """0 takes any free port; `soc up --json` says which."""
    session_idle_minutes: int = 30
    """Signed out after this long without a click."""
    session_hours: int = 12
    """Signed out after this long in any case."""
    secure_cookies: bool = False
    """Set when a proxy serves the pages over TLS; browsers then send the session over nothing else."""


@dataclass(frozen=True, slots=True)
class Log:
    """The event log: what was received, in order, before anything is made of it."""

    keeper: str = "sqlite"
    """What keeps it: sqlite."""
    backlog_mb: int = 4096
    """Compressed backlog at which collectors stop reading; they go on at three quarters of it."""
    min_free_mb: int = 512
    """Free disk space below which nothing more is taken; at twice as much it goes on."""
    keep_mb: int = 256
    """Raw batches kept after they were stored, newest first, so that the last hours can be parsed again."""
    seen_days: int = 7
    """How long a delivery's key is remembered to recognise a second sending."""


@dataclass(frozen=True, slots=True)
class Store:
    """The searchable event store."""

    keeper: str = "parquet"
    """What keeps it: parquet."""
    flush_rows: int = 50_000
    """Events that make a segment."""
    flush_secs: int = 10
    """A smaller segment is written after this long, so that a quiet source is durable there too."""
    retention_days: int = 184
    """Six months and a day: Cybersecurity Law art. 23(3), as amended 2025-10-28, asks for at least six months."""
    max_gb: int = 0
    """Oldest segments go first beyond this size; 0 is no limit."""
    query_threads: int = 2
    """Threads that one question to the store may take."""
    query_memory_mb: int = 512
    """Memory that one process may take for questions; beyond it they spill to disk."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Workers: parse, detect, raise, store."""

    workers: int = 2
    """Processes that share the event log; one for each core is right."""
    read_batches: int = 16
    """Batches a worker takes at a time."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Which rules run."""

    own_rules: bool = True
    """The rules that come with the product."""
    rules: tuple[str, ...] = ()
    """More Sigma files or folders, searched for *.yml; for example a checkout of SigmaHQ."""
    fold_over: int = 50
    """Matches of one rule in one batch beyond which they become a single alert with their true count."""


@dataclass(frozen=True, slots=True)
class Incidents:
    """How alerts become incidents."""

    join_hours: int = 24
    """An alert joins an open incident that shares an entity and was last heard of within this time."""
    open_level: str = "low"
    """Alerts below this level join an incident but open none."""


KERNEL: dict[str, type] = {
    "web": Web,
    "log": Log,
    "store": Store,
    "pipeline": Pipeline,
    "detections": Detections,
    "incidents": Incidents,
}

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder in which one SOC keeps everything: two homes, two SOCs side by side."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "soc.toml"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def cases(self) -> Path:
        return self.path / "cases"

    @property
    def cache(self) -> Path:
        """What can be made again: compiled rules, learnt formats."""
        return self.path / "cache"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def run(self) -> Path:
        """What the running processes tell each other: who is up, which address is bound."""
        return self.path / "run"

    def make(self) -> Home:
        """Create the folders, closed to others: logs and cases are nobody else's business."""
        for folder in (self.path, self.log, self.store, self.cases, self.cache, self.secrets, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self


def find_home(given: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Home:
    """The home named by `--home`, else by SOC_HOME, else ~/.lingshu-soc."""
    return Home(Path(given or environ.get("SOC_HOME") or Path.home() / ".lingshu-soc").expanduser().absolute())


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force, for `soc config show` and the reference page."""

    section: str
    key: str
    value: Any
    default: Any
    origin: str
    """'default', the file's name, or the environment variable's."""
    help: str


class Config:
    """All sections in force. Raises ConfigError at once for anything wrong in file or environment."""

    def __init__(self, home: Home, sections: Mapping[str, type] | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.home = home
        self.sections = dict(KERNEL) | dict(sections or {})
        self._file = _read(home.config) if home.config.exists() else {}
        self._values: dict[str, Any] = {}
        self.settings: list[Setting] = []
        self._refuse_strangers(environ)
        for name, kind in self.sections.items():
            self._values[name] = self._build(name, kind, environ)

    def __getitem__(self, kind: type[Section]) -> Section:
        """The section of this class: `config[Store].retention_days`."""
        for name, known in self.sections.items():
            if known is kind:
                return cast(Section, self._values[name])
        raise KeyError(f"{kind.__module__}.{kind.__name__} is no configuration section")

    def section(self, name: str) -> Any:
        return self._values[name]

    def _refuse_strangers(self, environ: Mapping[str, str]) -> None:
        for place in _tables(self._file, self.sections):
            raise ConfigError(f"{self.home.config} [{place}]: no such section; known: {', '.join(sorted(self.sections))}")
        known = {_variable(name, f.name) for name, kind in self.sections.items() for f in dataclasses.fields(kind)}
        for variable in environ:
            if variable.startswith("SOC_") and "__" in variable and variable not in known:
                raise ConfigError(f"environment {variable}: no such setting; `soc config show` lists them all")

    def _build(self, name: str, kind: type, environ: Mapping[str, str]) -> Any:
        given = _table(self._file, name, set(self.sections))
        hints = typing.get_type_hints(kind)
        known = {f.name: f for f in dataclasses.fields(kind)}
        for key in given:
            if key not in known:
                raise ConfigError(f"{self.home.config} [{name}] {key}: no such key; known: {', '.join(known)}")
        values: dict[str, Any] = {}
        helps = field_docs(kind)
        for key, field_ in known.items():
            default = _default(field_)
            value, origin = default, "default"
            if key in given:
                value, origin = _fit(given[key], hints[key], f"{self.home.config} [{name}] {key}"), self.home.config.name
            if (variable := _variable(name, key)) in environ:
                value, origin = _from_text(environ[variable], hints[key], f"environment {variable}"), variable
            values[key] = value
            self.settings.append(Setting(name, key, value, default, origin, helps.get(key, "")))
        try:
            return kind(**values)
        except ValueError as error:
            raise ConfigError(f"{self.home.config} [{name}]: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _table(file: Mapping[str, Any], name: str, sections: set[str]) -> dict[str, Any]:
    here: Any = file
    for part in name.split("."):
        here = here.get(part, {}) if isinstance(here, dict) else {}
    return {key: value for key, value in here.items() if not (isinstance(value, dict) and f"{name}.{key}" in sections)}


def _tables(file: Mapping[str, Any], sections: Mapping[str, type], prefix: str = "") -> typing.Iterator[str]:
    """Tables of the file that belong to no section."""
    for key, value in file.items():
        place = f"{prefix}{key}"
        inside = any(name.startswith(place + ".") for name in sections)
        if not isinstance(value, dict) or (place not in sections and not inside):
            if prefix and prefix[:-1] in sections:
                continue  # a key of a known section: its own check names it better
            yield place
        elif inside:
            yield from _tables(value, sections, place + ".")


def _variable(section: str, key: str) -> str:
    return f"SOC_{section.replace('.', '__')}__{key}".upper()


def _from_text(text: str, hint: Any, place: str) -> Any:
    if hint is str:
        return text
    if typing.get_origin(hint) is tuple and not text.lstrip().startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return _fit(tomllib.loads(f"v = {text}")["v"], hint, place)
    except tomllib.TOMLDecodeError:
        raise ConfigError(f"{place}: {text!r} is not {_name(hint)}") from None


def _fit(value: Any, hint: Any, place: str) -> Any:
    """The value as the type wants it, or a ConfigError that says what was expected."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            if option is not type(None):
                return _fit(value, option, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_fit(item, arguments[0], place) for item in value)
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: _fit(item, arguments[1], f"{place}.{key}") for key, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and origin is None and type(value) is hint:
        return value
    raise ConfigError(f"{place}: {value!r} is not {_name(hint)}")


def _name(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return "a list of texts"
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(hint, "a table" if typing.get_origin(hint) in (dict, Mapping) else str(hint))


def _default(field_: dataclasses.Field[Any]) -> Any:
    if field_.default_factory is not dataclasses.MISSING:
        return field_.default_factory()
    return field_.default


@functools.cache
def field_docs(kind: type) -> dict[str, str]:
    """The docstring under each attribute of a dataclass: the only place where a setting is explained."""
    try:
        body = ast.parse(inspect.getsource(kind).lstrip()).body[0]
    except (OSError, SyntaxError):
        return {}
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for node, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            docs[node.target.id] = " ".join(following.value.value.split())
    return docs


def example(sections: Mapping[str, type]) -> str:
    """A soc.toml that says of every setting what it does, each at its default and commented out."""
    lines = [
        "# Every setting at its default. Remove the '#' of those you change.",
        "# Each has an environment twin, for example SOC_WEB__PORT.",
    ]
    for name, kind in sections.items():
        lines += ["", f"[{name}]"] + [f"# {line}" for line in (inspect.getdoc(kind) or "").splitlines()[:1]]
        helps = field_docs(kind)
        for field_ in dataclasses.fields(kind):
            if text := helps.get(field_.name):
                lines.append(f"# {text}")
            lines.append(f"# {field_.name} = {_toml(_default(field_))}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + "}"
    if value is None:
        return '""'
    return str(value) if isinstance(value, int | float) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
