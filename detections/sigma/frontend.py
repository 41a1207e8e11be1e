"""From Sigma to `ir`: pySigma reads the language, this turns its tree into predicates and refuses what cannot be run safely."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import re2
from sigma import conditions, types
from sigma.rule import SigmaRule

from detections.sigma.ir import MANY, ONE, And, Node, Not, Or, Pattern, Predicate, joined
from detections.sigma.text import fold
from soc.fields.sources import LogSource

_FLAGS = {
    types.SigmaRegularExpressionFlag.IGNORECASE: "i",
    types.SigmaRegularExpressionFlag.MULTILINE: "m",
    types.SigmaRegularExpressionFlag.DOTALL: "s",
}
_LONGEST_REGEX = 4_096
_MOST_PREDICATES = 20_000


class Unusable(ValueError):
    """Why this rule cannot be run, in words for its author."""


class Condition(NamedTuple):
    """What a rule looks for and where, in Sigma's own field names."""

    source: LogSource
    node: Node


def condition_of(rule: SigmaRule) -> Condition:
    """The rule's condition as IR. Raises Unusable, or one of pySigma's errors."""
    budget = [_MOST_PREDICATES]
    nodes = [_node(one.parsed, budget) for one in rule.detection.parsed_condition]
    source = rule.logsource
    return Condition((source.category, source.product, source.service), joined(Or, nodes))


def _node(item: Any, budget: list[int]) -> Node:
    if isinstance(item, conditions.ConditionAND):
        return joined(And, [_node(part, budget) for part in item.args])
    if isinstance(item, conditions.ConditionOR):
        return joined(Or, [_node(part, budget) for part in item.args])
    if isinstance(item, conditions.ConditionNOT):
        return Not(_node(item.args[0], budget))
    budget[0] -= 1
    if budget[0] < 0:
        raise Unusable(f"more than {_MOST_PREDICATES} values in one condition")
    if isinstance(item, conditions.ConditionFieldEqualsValueExpression):
        return _value(item.field, item.value)
    if isinstance(item, conditions.ConditionValueExpression):
        return _value(None, item.value)
    raise Unusable(f"{type(item).__name__} in a condition is not supported")


def _value(field: str | None, value: Any) -> Node:
    if isinstance(value, types.SigmaExpansion):
        return joined(Or, [_value(field, one) for one in value.values])
    if isinstance(value, types.SigmaString):
        cased = isinstance(value, types.SigmaCasedString)
        return Predicate(field, "cased" if cased else "is", _pattern(value, cased))
    if isinstance(value, types.SigmaTimestampPart):
        return Predicate(field, "time", (value.timestamp_part.name.lower(), int(value.number)))
    if isinstance(value, types.SigmaNumber):
        return Predicate(field, "is", (str(value.number),))
    if isinstance(value, types.SigmaBool):
        return Predicate(field, "is", ("true" if value.boolean else "false",))
    if isinstance(value, types.SigmaNull):
        return Predicate(field, "null")
    if isinstance(value, types.SigmaExists):
        there = Predicate(field, "exists")
        return there if bool(value) else Not(there)
    if isinstance(value, types.SigmaRegularExpression):
        return Predicate(field, "re", _regex(value))
    if isinstance(value, types.SigmaCIDRExpression):
        return Predicate(field, "cidr", str(value.network))
    if isinstance(value, types.SigmaCompareExpression):
        return Predicate(field, "compare", (value.op.name.lower(), float(cast(Any, value.number).number)))
    if isinstance(value, types.SigmaFieldReference):
        return Predicate(field, "fieldref", (value.field, bool(value.starts_with), bool(value.ends_with)))
    raise Unusable(f"a value of kind {type(value).__name__} is not supported")


def _pattern(value: types.SigmaString, cased: bool) -> Pattern:
    parts: list[str | int] = []
    for part in value.s:
        if isinstance(part, str):
            text = part if cased else fold(part)
            if parts and isinstance(parts[-1], str):
                parts[-1] += text
            elif text:
                parts.append(text)
        elif part == types.SpecialChars.WILDCARD_MULTI:
            if not parts or parts[-1] != MANY:
                parts.append(MANY)
        elif part == types.SpecialChars.WILDCARD_SINGLE:
            parts.append(ONE)
        else:
            raise Unusable(f"the placeholder {part} has no list of values")
    return tuple(parts)


def _regex(value: types.SigmaRegularExpression) -> tuple[str, str]:
    """Regex and flags. RE2 is the judge: its time is linear in the value, whatever an attacker sends."""
    text = value.regexp if isinstance(value.regexp, str) else str(value.regexp)
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    if len(text) > _LONGEST_REGEX:
        raise Unusable(f"a regex of {len(text)} characters; at most {_LONGEST_REGEX}")
    try:
        compiled(text, flags)
    except re2.error as error:
        raise Unusable(f"the regex {text[:80]!r} cannot be matched in linear time: {_reason(error)}") from error
    return text, flags


def _reason(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def compiled(regex: str, flags: str) -> Any:
    """The regex as RE2 has it. Raises re2.error for what RE2 does not take (look-around, back references)."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 32 << 20
    return re2.compile(f"(?{flags}){regex}" if flags else regex, options=options)
