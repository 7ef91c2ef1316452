"""Makes templates.rs of providers.txt: `tools/etw_templates.py`, or `--check` to compare only."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

FOLDER = Path(__file__).parent.parent / "native/src/capture/etw"
KINDS = {"FILETIME": "FileTime", "SID": "Sid", "UserSID": "UserSid"}


def main(arguments: list[str]) -> int:
    """Writes the tables, or compares them: 1 if they are not current."""
    made = generate((FOLDER / "providers.txt").read_text())
    path = FOLDER / "templates.rs"
    if arguments == ["--check"]:
        return 0 if path.read_text() == made else 1
    path.write_text(made)
    return 0


def generate(facts: str) -> str:
    """The tables as Rust, formatted."""
    providers: list[str] = []
    constants: list[str] = []
    keywords: list[str] = []
    templates: list[tuple[int, int, str]] = []
    head = ""

    def end() -> None:
        if head:
            rows = "".join(row for _, _, row in sorted(templates))
            providers.append(f"{head}keywords: &[{''.join(keywords)}], templates: &[{rows}], }};\n")
        keywords.clear()
        templates.clear()

    for number, line in enumerate(facts.splitlines(), 1):
        word, _, rest = line.partition(" ")
        if not line or word == "#":
            continue
        if word == "provider":
            end()
            constant, name, guid = rest.split()
            constants.append(constant)
            head = _head(constant, name, UUID(guid))
        elif word == "keyword":
            name, mask = rest.split()
            keywords.append(f'("{name}", {int(mask, 16):#x}), ')
        elif word == "event":
            event, version, fields = rest.split(" ", 2)
            row = f"template({event}, {version}, &[{_fields(fields)}]),\n"
            templates.append((int(event), int(version), row))
        else:
            raise SystemExit(f"providers.txt:{number}: {word} is no kind of fact")
    end()
    listed = ", ".join(f"&{constant}" for constant in constants)
    source = (
        "//! Made of providers.txt by `tools/etw_templates.py`. Do not edit.\n\n"
        "#![allow(missing_docs)]\n\n"
        "use super::template::Kind::*;\nuse super::template::{Provider, field, template};\n\n"
        f"pub const ALL: &[&Provider] = &[{listed}];\n\n" + "\n".join(providers)
    )
    command = ["rustfmt", "--edition", "2024"]
    formatted = subprocess.run(command, input=source, text=True, capture_output=True, check=True)
    return formatted.stdout


def _head(constant: str, name: str, guid: UUID) -> str:
    stored = ", ".join(f"{byte:#04x}" for byte in guid.bytes_le)
    return (
        f"pub static {constant}: Provider = Provider {{\n"
        f'name: "{name}",\nshown_guid: "{{{str(guid).upper()}}}",\nguid: [{stored}],\n'
    )


def _fields(facts: str) -> str:
    rows: list[str] = []
    names: list[str] = []
    for fact in facts.split(", "):
        kind, name = fact.split()
        if sized := re.fullmatch(r"(Binary|Content)\[(\w+)\]", kind):
            of, size = sized.groups()
            kind = f"Bytes({size})" if size.isdigit() else f"{of}({names.index(size)})"
        names.append(name)
        rows.append(f'field("{name}", {KINDS.get(kind, kind)}), ')
    return "".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
