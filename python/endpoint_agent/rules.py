"""`OptimizationRules`: which events are dropped. Read from the configuration, checked one by one.

A rule that is no good is told with its line and left out; the others work.
"""

from __future__ import annotations

import difflib
import math
import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from endpoint_agent._native import rule_fields

MAX_RULES = 256
MAX_FILTERS = 32
MAX_VALUES = 1000
MAX_TEXT = 4096

ALLOWED = f"a list of at most {MAX_RULES} rules; see [rules.md](rules.md)"

FIELDS = dict(rule_fields())
"""The ECS type of every field that a rule may name."""

_TEXTS = ("keyword", "ip", "date")
_NUMBERS = ("long", "float")
_ORDER = ("<", "<=", ">", ">=")
_PARTS = ("contains", "not contains", "starts with")
OPERATORS = ("==", "!=", "in", *_PARTS, *_ORDER)

Operand = str | bool | float


class Filter(NamedTuple):
    """A condition of one field."""

    field: str
    operator: str
    operands: tuple[Operand, ...]
    """Alternatives, at least one."""


class Rule(NamedTuple):
    """A rule that drops the events for which all its filters hold."""

    uuid: str
    filters: tuple[Filter, ...]


class BadRuleError(Exception):
    """Why a rule is left out, without the place."""


def read(values: list[object]) -> Iterator[Rule | str]:
    """Each rule of the list, or why it is left out; of those that are too many, once for all."""
    seen: set[str] = set()
    for value in values[:MAX_RULES]:
        try:
            rule = _rule(value)
            if rule.uuid in seen:
                raise BadRuleError(f"uuid {rule.uuid} is given twice; rename one")
            seen.add(rule.uuid)
            yield rule
        except BadRuleError as error:
            yield str(error)
    if len(values) > MAX_RULES:
        yield f"there are more than {MAX_RULES}; all from here on are ignored"


def _rule(value: object) -> Rule:
    members = mapping(value, ("uuid", "action", "filters"))
    action = members["action"]
    if action != 1 or isinstance(action, bool):
        raise BadRuleError(f"action: found {shown(action)}; allowed: 1, which drops the event")
    filters = members["filters"]
    if not isinstance(filters, list) or not 1 <= len(filters) <= MAX_FILTERS:
        raise BadRuleError(
            f"filters: found {shown(filters)}; allowed: a list of 1 to {MAX_FILTERS}"
        )
    return Rule(_uuid(members["uuid"]), tuple(map(_filter, filters)))


def _uuid(value: object) -> str:
    try:
        return str(uuid.UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise BadRuleError(f"uuid: found {shown(value)}; allowed: a UUID") from None


def _filter(value: object) -> Filter:
    members = mapping(value, ("field", "operator", "value"))
    field, operator, given = members["field"], members["operator"], members["value"]
    if not isinstance(field, str) or field not in FIELDS:
        raise BadRuleError(f"field: found {shown(field)}; {_fields_like(field)}")
    if operator not in OPERATORS:
        allowed = ", ".join(OPERATORS)
        raise BadRuleError(f"operator: found {shown(operator)}; allowed: {allowed}")
    kind = FIELDS[field]
    allowed_value = _value_of(kind, str(operator))
    if operator == "in":
        if not isinstance(given, list) or not 1 <= len(given) <= MAX_VALUES:
            raise BadRuleError(
                f"value: found {shown(given)}; allowed for in: a list of 1 to {MAX_VALUES} values"
            )
        operands = given
    else:
        operands = [given]
    for operand in operands:
        if not _fits(operand, allowed_value):
            raise BadRuleError(
                f"value: found {shown(operand)}; allowed for {field} {operator}: {allowed_value}"
            )
    return Filter(field, str(operator), tuple(operands))


_TEXT = f"a text of 1 to {MAX_TEXT} bytes, in quotes where it looks like a number"
_NUMBER = "a number"
_BOOLEAN = "true or false"


def _value_of(kind: str, operator: str) -> str:
    """What a filter of this type of field may compare with."""
    if operator in _ORDER:
        if kind in ("keyword", *_NUMBERS):
            return _NUMBER
    elif kind in _TEXTS:
        return _TEXT
    elif operator not in _PARTS:
        return _NUMBER if kind in _NUMBERS else _BOOLEAN
    raise BadRuleError(f"operator: {operator} is not for fields of type {kind}")


def _fits(value: object, allowed: str) -> bool:
    if allowed is _TEXT:
        return isinstance(value, str) and 1 <= _size(value) <= MAX_TEXT
    if allowed is _BOOLEAN:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and not math.isnan(value)


def _size(text: str) -> int:
    """Bytes in UTF-8; of what YAML can escape but UTF-8 not hold, none."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _fields_like(field: object) -> str:
    close = difflib.get_close_matches(str(field)[:100], FIELDS, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed: {', '.join(FIELDS)}"


def mapping(
    value: object, keys: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, object]:
    """The members of a rule or a part of it.

    Raises:
        BadRuleError: not a mapping, or one without a key, or with another.
    """
    if not isinstance(value, Mapping):
        raise BadRuleError(f"found {shown(value)}; allowed: a mapping with {', '.join(keys)}")
    for key in value:
        if key not in (*keys, *optional):
            allowed = ", ".join((*keys, *optional))
            raise BadRuleError(f"found the key {shown(key)}; allowed: {allowed}")
    for key in keys:
        if key not in value:
            raise BadRuleError(f"{key} is missing")
    return dict(value)


def shown(value: object) -> str:
    """A value in words, at most about 60 characters."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
