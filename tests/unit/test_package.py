from __future__ import annotations

from importlib.metadata import metadata, version

import endpoint_agent
from endpoint_agent import _native, errors


def test_one_version() -> None:
    assert endpoint_agent.__version__ == version("endpoint-agent")


def test_licences_of_both_sides_are_named() -> None:
    assert "Apache-2.0" in metadata("endpoint-agent")["License-Expression"]
    assert "BSD-2-Clause" in metadata("endpoint-agent")["License-Expression"]


def test_every_exception_is_drawn_in_the_docstring() -> None:
    assert errors.__doc__
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    for one in classes:
        assert issubclass(one, errors.AgentError)
        drawn = next(line for line in errors.__doc__.splitlines() if one.__name__ in line)
        assert str(one.exit_status) in drawn


def test_counters_have_names_and_meanings() -> None:
    names = [name for name, _ in _native.counter_names()]
    assert len(set(names)) == len(names)
    assert all(meaning.endswith(".") for _, meaning in _native.counter_names())
