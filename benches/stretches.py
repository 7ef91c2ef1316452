"""A rate with the agent against one without, at the same speed of the machine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import NamedTuple

from speed import loop_seconds
from turns import Turns

# How far the loops before and after a stretch may differ, and those of a class.
ALIKE = 0.05
FEWEST = 10


class Stretch(NamedTuple):
    """Some hundredths of a second of work."""

    rate: float
    """Done per second."""
    before: float
    """`speed.loop_seconds` before it …"""
    after: float
    """… and after it."""


class Compared(NamedTuple):
    """Watched against alone."""

    ratio: float
    """Of all classes of speed, each with the weight that its number of stretches gives it."""
    classes: list[float]
    """Of each class by itself, the quickest first."""
    alone: float
    """The rate without the agent in the quickest class."""
    alike: float
    """How far the speeds in one class may differ."""


def in_stretches(rate: Callable[[], float], count: int, cores: Collection[int]) -> list[Stretch]:
    """Does some work `count` times, which tells its rate.

    Args:
        cores: those whose speed decides.
    """
    stretches, before = [], loop_seconds(cores)
    for _ in range(count):
        done, after = rate(), loop_seconds(cores)
        stretches.append(Stretch(done, before, after))
        before = after
    return stretches


def compare_turns(turns: Turns[list[Stretch]]) -> Compared:
    """`compare` for the stretches of watched turns and of those alone."""
    alone = [part.outcome for turn in turns.alone for part in turn]
    watched = [part.outcome for turn in turns.watched for part in turn]
    return compare(alone, watched)


def compare(
    alone: Sequence[list[Stretch]],
    watched: Sequence[list[Stretch]],
    alike: Sequence[float] = (ALIKE,),
) -> Compared:
    """Compares what was done while the machine was equally quick.

    A neighbour on the same silicon slows the work by more than it slows a loop that only computes,
    so that to divide by the loop does not help. But where the loop takes equally long before and
    after, the machine was in one mood, and among stretches of one mood the work can be compared.

    Args:
        alike: how far speeds of one mood may differ, each tried where the one before leaves nothing
            to compare.

    Raises:
        ValueError: there is no mood of which both have enough.
    """
    for width in alike:
        one, other = _classes(alone, width), _classes(watched, width)
        both = [mood for mood in sorted(one) if min(len(one[mood]), len(other[mood])) >= FEWEST]
        if both:
            break
    else:
        raise ValueError("the machine was never equally quick in both: measure longer")
    ratios = [median(other[mood]) / median(one[mood]) for mood in both]
    weights = [1 / (1 / len(one[mood]) + 1 / len(other[mood])) for mood in both]
    pairs = zip(weights, ratios, strict=True)
    mean = sum(weight * math.log(ratio) for weight, ratio in pairs) / sum(weights)
    return Compared(math.exp(mean), ratios, median(one[both[0]]), width)


def _classes(turns: Sequence[list[Stretch]], alike: float) -> dict[int, list[float]]:
    """Rates by mood: the logarithm of the loop's seconds, in steps of `alike`."""
    classes: dict[int, list[float]] = defaultdict(list)
    for stretch in (stretch for turn in turns for stretch in turn):
        if abs(stretch.before / stretch.after - 1) < alike:
            loop = (stretch.before + stretch.after) / 2
            classes[math.floor(math.log(loop) / alike)].append(stretch.rate)
    return classes
