from __future__ import annotations

from endpoint_agent.live.closing import closing
from endpoint_agent.live.state import State

from .samples import ANSWER, NOW, event, lines, stats


def ended(*raw: str) -> State:
    state = State(NOW)
    state.note(ANSWER, NOW)
    state.add(lines(*raw), NOW)
    return state


def test_the_last_report_is_laid_out() -> None:
    text, complete = closing(ended(event(sequence=1), stats(2)))
    assert complete
    assert "Into the queue: the sum holds\n    captured         1,012  " in text
    assert "Out of the queue: the sum holds\n" in text
    assert "bytes_sent" in text
    assert "last_error" not in text
    assert text.endswith("The intake has 2 events, numbered 1 to 2: none is missing.\n")


def test_a_sum_that_does_not_hold_is_told() -> None:
    text, complete = closing(ended(stats(1, captured=1_015)))
    assert not complete
    assert "Into the queue: +3 are on their way or missing" in text


def test_a_missing_event_is_told() -> None:
    text, complete = closing(ended(event(sequence=1), stats(4)))
    assert not complete
    assert text.endswith("The intake has 2 events, numbered 1 to 4: 2 are missing.\n")


def test_without_a_last_report_the_last_known_numbers_are_told() -> None:
    text, complete = closing(ended(stats(1, captured=5), event(sequence=2)))
    assert not complete
    assert "captured         1,012" in text
    assert "The agent's last report has not arrived" in text


def test_an_agent_that_had_not_started_has_no_balance() -> None:
    assert closing(State(NOW)) == ("The agent had not started yet.\n", False)


def test_what_the_agent_answers_is_made_safe() -> None:
    state = ended(stats(1))
    state.note({**ANSWER, "coverage": [["exec", "failed", "\x1b[2J"]]}, NOW)
    text, _ = closing(state)
    assert r"exec failed: \x1b[2J" in text
    assert text.replace("\n", "").isprintable()
