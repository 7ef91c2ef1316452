"""The balance of a run: what came in and what became of it, laid out for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, NamedTuple


class Sum(NamedTuple):
    """Two groups of counters that add up to the same at any quiet moment."""

    title: str
    left: tuple[str, ...]
    right: tuple[str, ...]

    def difference(self, counters: Mapping[str, int]) -> int:
        """Left less right: 0 when nothing is on its way and nothing is missing."""
        return _total(counters, self.left) - _total(counters, self.right)


SUMS = (
    Sum("Into the queue", ("captured", "reported"), ("spooled", "filtered", "coalesced", "lost")),
    Sum(
        "Out of the queue",
        ("recovered", "spooled"),
        ("delivered", "queued", "evicted", "rejected", "damaged"),
    ),
)


def describe(answer: Mapping[str, Any]) -> str:
    """The answer of a running agent (`status.ask`) as lines of text."""
    return "\n".join(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    agent = answer["agent"]
    yield (
        f"endpoint-agent {answer['version']}, pid {answer['pid']}, "
        f"up {timedelta(seconds=int(answer['uptime']))}, {agent['cpu_seconds']:.1f} s of CPU, "
        f"{agent['memory_bytes'] / 1e6:.1f} MB of memory"
    )
    if fallback := answer.get("fallback"):
        yield f"the audit system is captured, and not by eBPF: {fallback}"
    yield from _coverage(answer["source"], answer["coverage"])
    counters = answer["counters"]
    for one in SUMS:
        yield ""
        yield from _sum(one, counters)
    yield from _others(counters)
    if rules := answer["rules"]:
        yield ""
        yield "Filtered by the rules"
        for uuid, count in rules.items():
            yield f"  {uuid} {count:>12,}"
    yield ""
    yield "Delivery"
    yield from _columns((name, _shown(name, v)) for name, v in answer["delivery"].items())
    if (program := answer.get("program", {})).get("checked"):
        yield ""
        yield "Program, compared with its MANIFEST"
        yield from _columns((name, _shown(name, v)) for name, v in program.items() if v != "")
    if (update := answer.get("update", {})).get("checked"):
        yield ""
        yield "Updates"
        yield from _columns(_update(update))


def _coverage(source: str, coverage: list[tuple[str, str, str]]) -> Iterator[str]:
    states = [state for _, state, _ in coverage if state != "replaced"]
    yield f"source {source}: {states.count('attached')} of {len(states)} hooks attached"
    for hook, state, reason in coverage:
        if state != "attached":
            yield f"  {hook} {state}: {reason}"


def _sum(one: Sum, counters: Mapping[str, int]) -> Iterator[str]:
    difference = one.difference(counters)
    verdict = "the sum holds" if difference == 0 else f"{difference:+,} are on their way or missing"
    yield f"{one.title}: {verdict}"
    left, right = _terms(one.left, counters), _terms(one.right, counters)
    totals = [f"= {_total(counters, names):>22,}" for names in (one.left, one.right)]
    for row in (*zip_longest(left, right, fillvalue=""), totals):
        yield f"  {row[0]:28}{row[1]}"


def _terms(names: tuple[str, ...], counters: Mapping[str, int]) -> Iterator[str]:
    for sign, name in zip(" ++++", names, strict=False):
        yield f"{sign} {name:10}{counters.get(name, 0):>12,}"


def _others(counters: Mapping[str, int]) -> Iterator[str]:
    """The counters that stand in no sum, where they have counted anything."""
    summed = {name for one in SUMS for name in (*one.left, *one.right)}
    others = [(name, n) for name, n in counters.items() if n and name not in summed]
    if others:
        yield ""
        yield "Of these, and besides"
        yield from _columns((name, f"{n:>12,}") for name, n in others)


def _update(update: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What was last known of new versions."""
    yield "checked", _shown("checked", update["checked"])
    for name in ("error", "offered", "waits"):
        if update[name]:
            yield name, update[name]
    for version, reason in update["failed"].items():
        yield f"failed {version}", reason


def _columns(pairs: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in pairs:
        yield f"  {name:22} {value}"


def _shown(name: str, value: object) -> object:
    """A value of the delivery's state, for a reader."""
    if value is None:
        return "-"
    if name in ("last_delivery", "checked") and isinstance(value, float):
        return datetime.fromtimestamp(value, UTC).isoformat(" ", "seconds")
    return f"{value:.1f}" if isinstance(value, float) else value


def _total(counters: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counters.get(name, 0) for name in names)
