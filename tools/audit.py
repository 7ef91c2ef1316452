"""Licences and known faults of what the agent is made of: tools/audit.py, of `make check`.

The licences are read from what is installed. For the rest others are asked: pip-audit, cargo-audit
and cargo-deny, where `make audit` has installed them and their data can be had. Where not, that is
said, and is no failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "target/audit/bin"
TARGET = "x86_64-unknown-linux-gnu"

# Seconds that a data base may take to answer.
PATIENCE = 60

# What classifiers say, in SPDX's words, of packages that have no expression.
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def main() -> int:
    """Says what is wrong, and what could not be known; the exit status."""
    allowed = set(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])
    used = [*crates(), *packages()]
    wrong = [f"{name}: {told}" for name, told in used if not is_allowed(told, allowed)]
    print(f"audit: licences of {len(used)} crates and packages")
    for tool, words in (
        ("pip-audit", ["pip-audit", "--requirement=requirements.lock", "--disable-pip"]),
        ("cargo-audit", ["cargo-audit", "audit"]),
    ):
        wrong += faults(tool, words)
    if (deny := shutil.which("cargo-deny", path=search_path())) is None:
        print("audit: cargo-deny is not installed; `make audit` does")
    elif subprocess.run(
        [deny, "--offline", "check", "licenses", "bans", "sources"], cwd=ROOT, check=False
    ).returncode:
        wrong.append("cargo-deny: see above")
    for line in wrong:
        print(f"audit: {line}", file=sys.stderr)
    return 1 if wrong else 0


def search_path() -> str:
    """Where the tools may be."""
    return f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"


def crates() -> Iterator[tuple[str, str]]:
    """Name and licence of each crate that is linked."""
    words = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={TARGET}"]
    done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    for package in json.loads(done.stdout)["packages"]:
        yield package["name"], package["license"] or "none"


def packages() -> Iterator[tuple[str, str]]:
    """Name and licence of each Python package that a user installs, all extras but one."""
    wanted, seen = ["endpoint-agent"], set[str]()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        found = next(iter(Distribution.discover(name=name)), None)
        if found is None:
            continue  # Of another platform or version of Python.
        yield name, licence(found)
        for requirement in found.requires or ():
            match = re.match(r"[\w.-]+", requirement)
            is_extra = "extra ==" in requirement and name != "endpoint-agent"
            if match and not is_extra and not re.search(r"extra == .dev.", requirement):
                wanted.append(match[0])


def licence(found: Distribution) -> str:
    """The expression of a package, or what comes nearest to one."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    words = [
        one.split(" :: ")[-1] for one in metadata.get_all("Classifier") or () if "License" in one
    ]
    known = [CLASSIFIERS.get(word, word) for word in words]
    return " AND ".join(known) or str(metadata.get("License", "none"))


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences. AND binds before OR."""
    while match := re.search(r"\(([^()]*)\)", expression):
        # What is in brackets is decided first, and stands for what it came to.
        decided = "MET" if is_allowed(match[1], allowed) else "UNMET"
        expression = expression[: match.start()] + decided + expression[match.end() :]
    choices = re.split(r" OR |/", expression)
    return any(
        all(one.strip() in allowed | {"MET"} for one in choice.split(" AND ")) for choice in choices
    )


def faults(tool: str, words: Sequence[str]) -> list[str]:
    """The known faults that a tool finds. What it cannot find out is said."""
    program = shutil.which(tool, path=search_path())
    if program is None:
        print(f"audit: {tool} is not installed; `make audit` does")
        return []
    options = ["--format=json", "--progress-spinner=off"] if tool == "pip-audit" else ["--json"]
    said = f"its data base does not answer within {PATIENCE} s"
    try:
        done = subprocess.run(
            [program, *words[1:], *options],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        said = done.stderr.strip().rpartition("\n")[2].removeprefix("  -> ")
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        print(f"audit: {tool} could not find out: {said}")
        return []
    told = list(pip_faults(found) if tool == "pip-audit" else cargo_faults(found))
    asked, unasked = covered(found)
    if unasked:
        print(
            f"audit: {tool} could not find out about {len(unasked)} of {asked + len(unasked)} "
            f"packages: {unasked[0]}"
        )
    if asked:
        print(f"audit: {tool} finds {len(told)} known faults in {asked} packages")
    return told


def covered(found: dict[str, Any]) -> tuple[int, list[str]]:
    """How many packages a tool's data base knows, and why it says nothing of each other one.

    pip-audit takes a data base that does not answer for one that knows of no package.
    """
    if "lockfile" in found:
        return found["lockfile"]["dependency-count"], []
    reasons = [package.get("skip_reason") for package in found.get("dependencies", ())]
    unasked = [reason for reason in reasons if reason is not None]
    return len(reasons) - len(unasked), unasked


def pip_faults(found: dict[str, Any]) -> Iterator[str]:
    """What pip-audit has found."""
    for package in found.get("dependencies", ()):
        for one in package.get("vulns", ()):
            yield f"{package['name']} {package['version']}: {one['id']}"


def cargo_faults(found: dict[str, Any]) -> Iterator[str]:
    """What cargo-audit has found."""
    for one in found.get("vulnerabilities", {}).get("list", ()):
        yield f"{one['package']['name']} {one['package']['version']}: {one['advisory']['id']}"


if __name__ == "__main__":
    sys.exit(main())
