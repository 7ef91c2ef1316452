"""A build: a compiler that is started hundreds of times, with its temporary and object files."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host
from turns import in_turns

UNITS = 6
FUNCTIONS = 60
ROUNDS = 7

# In each turn.
BUILDS = 3

SLOWDOWN = Figure("build of 6 C files by make -j2: slowdown", "{:.3f}", Reach.AT_MOST, 1.03)

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

    def build() -> float:
        for made in (*sources.glob("*.o"), *sources.glob("*.a")):
            made.unlink()
        begin = time.perf_counter()
        subprocess.run(["make", "-s", "-j2", "-C", sources], check=True)
        return time.perf_counter() - begin

    turns = in_turns(benchmark, host, build, ROUNDS, BUILDS)
    execs = 1 + 3 * UNITS  # make's shell is left out where the command is simple
    beside = f"{turns.typical(float):.1f} s alone, some {execs} programs"
    slowdown = turns.compare(float)
    results.add(SLOWDOWN, slowdown.rounds, slowdown.beside(beside), slowdown.ratio)
    results.require()
