"""JSON events that name their Sigma log source in `logsource_category`, `logsource_product`, `logsource_service`.

Test corpora and exports of other products come so. The rest of the keys are Sigma's own field names for that log source, and are
renamed by the same table as the rules (`soc.fields.sources`).
"""

from __future__ import annotations

from typing import Any

import orjson

from collectors import stamps
from soc.contracts import Fields, RawLine
from soc.fields import fit, type_of
from soc.fields.sources import TAGS, LogSource, names_of, tagged_dataset

programs = ()
dataset = "sigma.-.-.-"
logsources: dict[str, LogSource] = {}
"""Each log source is a dataset of its own: `soc.fields.sources.logsource_of` reads it back from the name."""
fields = None
marks = tuple((tag,) for tag in TAGS)

_MOST = 1_000
_TIMES = ("SystemTime", "eventTime", "time", "timestamp", "@timestamp")
_HOSTS = ("Computer", "hostname")
_texts = frozenset({"keyword", "wildcard", "match_only_text", "ip", "constant_keyword"})


def parse_json(record: dict[str, Any], _line: RawLine) -> Fields | None:
    """Its fields under our names; host.name and @timestamp are extra copies of the usual keys."""
    source = _source(record)
    if source is None:
        return None
    names = names_of(source)
    event: Fields = {}
    for key, value in list(record.items())[:_MOST]:
        if key in TAGS or value is None:
            continue
        name = names[key]
        if value.__class__ is str and type_of(name) in _texts:
            event[name] = value
        elif (fitted := fit(name, _plain(value))) is not None:
            event[name] = fitted
        else:
            event[f"{names.prefix}{key}"] = str(value)
    event["event.dataset"] = tagged_dataset(source)
    for key in _TIMES:
        if isinstance(value := record.get(key), str) and (when := stamps.iso(value if value[-1:] == "Z" else value + "Z", None)):
            event["@timestamp"] = when
            break
    for key in _HOSTS:
        if isinstance(value := record.get(key), str):
            event.setdefault("host.name", value)
    return event


def _source(record: dict[str, Any]) -> LogSource | None:
    parts = [record.get(tag) for tag in TAGS]
    if any(part is not None and not isinstance(part, str) for part in parts) or parts[1] == "windows":
        return None
    category, product, service = parts
    return category, product, service


def _plain(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


