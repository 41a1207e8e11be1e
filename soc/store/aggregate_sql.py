"""Aggregations into DuckDB SQL over `{source}`, which stands for the selected events."""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

from collections.abc import Sequence

from soc.query import Aggregation, Cardinality, DateHistogram, Stat, TermsOf
from soc.store.evaluate import check
from soc.store.leaves import kind_of
from soc.store.sql import Scan, as_number


def aggregation_sql(scan: Scan, asked: Aggregation, where: str) -> str:
    """Rows of (key…, count), or one row with one figure. Raises QueryError for one that cannot be computed."""
    check(asked)
    match asked:
        case DateHistogram(by=None):
            start = _start(scan, asked.interval)
            return f"select {start}, count(*) from ({_exploded(scan, (asked.field,), where)}) group by 1 order by 1"
        case DateHistogram():
            return _split_histogram(scan, asked, where)
        case TermsOf(fields, size):
            keys = [f"x{i}" for i in range(len(fields))]
            counts = f"select {', '.join(keys)}, count(*) as n from ({_exploded(scan, fields, where)}) group by all"
            ties = ", ".join(f"cast({key} as varchar)" for key in keys)
            return f"select * from ({counts}) order by n desc, {ties} limit {scan.bind(size)}"
        case Cardinality(name):
            return f"select count(distinct x0) from ({_exploded(scan, (name,), where)})"
        case Stat(kind, name):
            number = as_number("x0") if kind_of(name) == "text" else "x0"
            figure = f"quantile_cont(y, {int(kind[1:])} / 100)" if kind[0] == "p" else f"{kind}(y)"
            return f"select {figure} from (select {number} as y from ({_exploded(scan, (name,), where)}))"


def _start(scan: Scan, interval: int) -> str:
    step = scan.bind(interval)
    return f"(x0 - ((x0 % {step}) + {step}) % {step})"


def _exploded(scan: Scan, fields: Sequence[str], where: str) -> str:
    """One row per combination of the fields' values, as x0, x1 …; none where a field is missing."""
    plain = [_plain(scan, name) for name in fields]
    columns = [f"{alias or scan.each(name)} as x{i}" for i, (alias, name) in enumerate(zip(plain, fields, strict=True))]
    there = [f" and {alias} is not null" for alias in plain if alias]
    sql = f"select {', '.join(columns)} from {{source}} where {where}{''.join(there)}"
    for i, alias in enumerate(plain):
        if not alias:
            sql = f"select * replace (unnest(x{i}) as x{i}) from ({sql})"
    nulls = [f"x{i} is not null" for i, alias in enumerate(plain) if not alias]
    return f"select * from ({sql}) where {' and '.join(nulls)}" if nulls else sql


def _plain(scan: Scan, name: str) -> str | None:
    """The alias of the field's only column, if all its values are single ones: no list to make of them."""
    singles = scan.singles(name)
    return singles[0] if singles and not scan.lists(name) else None


def _split_histogram(scan: Scan, asked: DateHistogram, where: str) -> str:
    """Values beyond the most frequent, and events without any, are counted under NULL."""
    time, by = scan.each(asked.field) + "[1]", scan.each(str(asked.by))
    if plain := _plain(scan, asked.field):
        time = plain
    most = scan.bind(asked.size)
    split = f"unnest(coalesce({by}, [null]))" if not (one := _plain(scan, str(asked.by))) else one
    return (
        f"with r as materialized (select {time} as x0, {split} as y from {{source}} where {where}), "
        f"n as (select {_start(scan, asked.interval)} as x0, y, count(*) as n from r where x0 is not null group by all), "
        f"t as (select y from n where y is not null group by y order by sum(n) desc, cast(y as varchar) limit {most}) "
        f"select * from "
        f"(select x0, case when y in (select y from t) then y end as z, cast(sum(n) as bigint) from n group by all) "
        f"order by x0, cast(z as varchar) nulls last"
    )
