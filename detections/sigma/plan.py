"""The plan on disk: everything about a set of rules that does not depend on events, made once, mapped by every process.

A file of numbered blobs; a process reads only those that its events ask for. It holds code, so it is written for the owner alone
(0600) and replaced in one step; it is taken only when it was made by this very version from these very rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import mmap
import os
import pickle
import struct
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from detections.sigma import scan
from detections.sigma.planner import Planned, Planner
from detections.sigma.routes import Route, Router
from soc.fields.sources import LogSource

_MAGIC = b"LSPLAN1\0"
_HEAD = struct.Struct("<8s32sQQ")


class Stale(ValueError):
    """The file is not a plan, or not of these rules and this version."""


def digest_of(*parts: bytes) -> bytes:
    """Names what a plan is made from; parts of the engine that shape it are included."""
    room = Path(__file__).parents[1]
    files = (path for name in ("sigma/*.py", "sigma/*.csv", "mapping/*.py") for path in room.glob(name))
    code = b"".join(path.read_bytes() for path in sorted(files))
    made_by = f"{sys.implementation.cache_tag} {sys.version_info[:3]} {scan.version()}".encode()
    digest = hashlib.blake2b(digest_size=32)
    for part in (code, made_by, *parts):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def write(path: Path, digest: bytes, rules: Sequence[Planned], declared: Mapping[str, LogSource], carried: object) -> None:
    """Plan the rules and put the plan in place, atomically. `carried` comes back as `Plan.carried`."""
    planner = Planner(rules)
    routes = {(route.places, route.holds): planner.put(planner.plan(route)) for route in planner.routes(declared.values())}
    index = {
        "routes": routes,
        "router": planner.put(pickle.dumps(planner.router, 5)),
        "rules": planner.put(pickle.dumps(list(rules), 5)),
        "carried": planner.put(pickle.dumps(carried, 5)),
    }
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_HEAD.pack(_MAGIC, digest, 0, 0))
            places = []
            for blob in planner.blobs:
                places.append(file.tell())
                file.write(blob)
            places.append(file.tell())
            file.write(struct.pack(f"<{len(places)}Q", *places) + marshal.dumps(index))
            file.seek(0)
            file.write(_HEAD.pack(_MAGIC, digest, places[-1], len(places)))
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


class Plan:
    """A plan that has been opened. Raises Stale; OSError if it is not there."""

    def __init__(self, path: Path, digest: bytes) -> None:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _HEAD.size:
                raise Stale(f"{path} is not a plan")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, made_from, at, count = _HEAD.unpack_from(self._map)
        if magic != _MAGIC or made_from != digest or at + 8 * count > len(self._map):
            raise Stale(f"{path} was made from other rules or by another version")
        self._view = memoryview(self._map)
        self._places = struct.unpack_from(f"<{count}Q", self._map, at)
        index = marshal.loads(self._view[at + 8 * count :])  # noqa: S302 (our own file, see the module)
        self._routes: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = index["routes"]
        self._index = index
        self.late = 0
        """Routes that no plan foresaw and that were planned while events waited."""
        self._planner: Planner | None = None

    def blob(self, number: int) -> bytes | memoryview:
        if number + 1 < len(self._places):
            return self._view[self._places[number] : self._places[number + 1]]
        assert self._planner is not None
        return self._planner.blobs[number - self._planner.base]

    def _load(self, name: str) -> object:
        return pickle.loads(self.blob(self._index[name]))  # noqa: S301

    @cached_property
    def router(self) -> Router:
        found = self._load("router")
        assert isinstance(found, Router)
        return found

    @cached_property
    def rules(self) -> list[Planned]:
        """The rules with our field names, read when a list or a late route asks for them."""
        found = self._load("rules")
        assert isinstance(found, list)
        return found

    @cached_property
    def carried(self) -> object:
        return self._load("carried")

    def route(self, route: Route) -> bytes | memoryview:
        """The plan of a route; planned now if nobody foresaw it."""
        number = self._routes.get((route.places, route.holds))
        if number is not None:
            return self.blob(number)
        self.late += 1
        if self._planner is None:
            self._planner = Planner(self.rules, base=len(self._places) - 1)
        return self._planner.plan(route)
