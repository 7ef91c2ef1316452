"""The end of a run: the agent's balance, and whether the intake has every event."""

from __future__ import annotations

from endpoint_agent.balance import SUMS, describe
from endpoint_agent.live.lines import printable
from endpoint_agent.live.state import State


def closing(state: State) -> tuple[str, bool]:
    """The text for the reader, and whether both sums hold and nothing is missing."""
    if state.answer is None:
        return "The agent had not started yet.\n", False
    counters = state.last_report or state.answer["counters"]
    sent = {name: state.answer["delivery"][name] for name in ("requests", "bytes_sent")}
    balance = describe({**state.answer, "counters": counters, "delivery": sent})
    lines = [*map(printable, balance.splitlines()), "", _arrival(state)]
    holds = all(one.difference(counters) == 0 for one in SUMS)
    complete = state.last_report is not None and state.missing == 0
    return "\n".join(lines) + "\n", holds and complete


def _arrival(state: State) -> str:
    if state.last_report is None:
        return (
            "The agent's last report has not arrived: it could not send all it had. "
            "These are its last known numbers."
        )
    missing = f"{state.missing:,} are missing" if state.missing else "none is missing"
    return (
        "After this report the agent sent what was queued. "
        f"The intake has {state.arrived:,} events, numbered 1 to {state.numbered:,}: {missing}."
    )
