"""Finds extensions by looking into their folder: a new file is all it takes, and a broken one is recorded, not fatal."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Broken:
    """An extension that could not be loaded: where it stands and what it said."""

    place: str
    reason: str


@dataclass(slots=True)
class Registry:
    """The modules of one folder by name, and those that would not load."""

    modules: dict[str, ModuleType] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)


def scan(package: str) -> Registry:
    """Import every module of a package, in name order; names that begin with '_' are not extensions."""
    found = Registry()
    for info in sorted(pkgutil.iter_modules(importlib.import_module(package).__path__), key=lambda info: info.name):
        if info.name.startswith("_"):
            continue
        place = f"{package}.{info.name}"
        try:
            found.modules[info.name] = importlib.import_module(place)
        except Exception as error:  # the edge: whatever an extension does at import must not stop the others
            found.broken.append(Broken(place, f"{type(error).__name__}: {error}"))
    return found
