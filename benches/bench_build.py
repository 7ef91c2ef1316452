"""A build: a compiler that is started hundreds of times, with its temporary and object files."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from stretches import Stretch, compare_turns, in_stretches
from turns import in_turns

# One for each core: half a second.
UNITS = 2
FUNCTIONS = 60
ROUNDS = 9

# In each turn.
BUILDS = 12

CORES = 2

SLOWDOWN = Figure("build of 2 C files by make -j2: slowdown", "{:.3f}", Reach.AT_MOST, 1.03)
# The noise of a shared machine hides it in the slowdown.
CPU = Figure("… agent CPU, until it is delivered", "{:.2f} % of two cores")

HEADERS = ("stdio", "stdlib", "string", "unistd", "sys/socket", "netdb", "pthread", "math")
FUNCTION = """
double f{unit}_{number}(double x, int n)
{{
    char text[64];
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += sqrt(x + i) * {number} / (1 + i % {divisor});
    snprintf(text, sizeof(text), "%.3f", sum);
    return strlen(text) > 3 ? sum : atof(text);
}}
"""
MAKEFILE = """
OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
all.a: $(OBJECTS)
\tar rcs $@ $^
%.o: %.c
\tgcc -O1 -c -o $@ $<
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A project in C, made up."""
    includes = "".join(f"#include <{header}.h>\n" for header in HEADERS)
    for unit in range(UNITS):
        functions = (
            FUNCTION.format(unit=unit, number=number, divisor=number + 2)
            for number in range(FUNCTIONS)
        )
        (tmp_path / f"unit{unit}.c").write_text(includes + "".join(functions))
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return tmp_path


def bench_build(benchmark: BenchmarkFixture, host: Host, results: Results, sources: Path) -> None:
    """What developers' and CI machines do all day."""

    def rate() -> float:
        for made in (*sources.glob("*.o"), *sources.glob("*.a")):
            made.unlink()
        begin = time.perf_counter()
        subprocess.run(["make", "-s", "-j2", "-C", sources], check=True)
        return 1 / (time.perf_counter() - begin)

    def builds() -> list[Stretch]:
        return in_stretches(rate, BUILDS, os.sched_getaffinity(0))

    turns = in_turns(benchmark, host, builds, ROUNDS)
    compared = compare_turns(turns)
    execs = 1 + 3 * UNITS  # make's shell is left out where the command is simple
    beside = f"{1 / compared.alone:.2f} s alone where the machine is quickest, {execs} programs"
    classes = [1 / ratio for ratio in compared.classes]
    results.add(SLOWDOWN, classes, beside, 1 / compared.ratio)
    results.add(CPU, [100 * cpu_share(*each) for each in turns.delivered()])
    results.require()


def cpu_share(outcomes: list[list[Stretch]], watch: Watch) -> float:
    """The agent's CPU in a turn, by that of the processors while they built."""
    seconds = sum(1 / stretch.rate for stretches in outcomes for stretch in stretches)
    return watch.cpu_seconds / seconds / CORES
