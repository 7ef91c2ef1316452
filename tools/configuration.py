"""Prints docs/configuration.md, which `make golden` rewrites."""

from __future__ import annotations

import sys

from endpoint_agent import eventlogs
from endpoint_agent.config import DEFAULT_PATH, INTAKE_KEY_VARIABLE, SETTINGS, Setting

PAGE = """\
<!-- Written by `make golden` from python/endpoint_agent/config.py. Do not edit. -->

# Configuration

`endpoint-agent run` reads `{path}`, or the file that `--config FILE` names. On Windows all is
below `System32\\config\\systemprofile\\AppData\\Local\\SEKOIA.IO\\EndpointAgent` of the system's
folder: `config.yaml`, the state in `state`, the log in `logs\\agent.log`.
It is YAML: one `Key: value` a line. Only the intake's key is needed:

```yaml
IntakeKey: the-key-of-your-intake
Region: fra1
```

The key may be given in the environment variable `{variable}` instead, which wins
where both are given.

The file may hold secrets. Make it `0600` (or `0640` with a group of administrators): one that
others can read is accepted with a warning, one that group or others can write is refused. On
Windows its access list says who can, and the agent does not look at it.

A key that is unknown or given twice, and a value of the wrong type or out of range, stop the
agent before it starts, with exit status 2 and a message that names the file, the line, the key
and what is allowed. A key without a value keeps its default. On SIGHUP the agent reads the file
again.

| key | default | allowed | meaning |
|---|---|---|---|
{rows}

MB is 1,000,000 bytes.
"""


def page() -> str:
    """The whole text."""
    rows = "\n".join(row(setting) for setting in SETTINGS)
    return PAGE.format(path=DEFAULT_PATH, variable=INTAKE_KEY_VARIABLE, rows=rows)


def row(setting: Setting) -> str:
    """One line of the table."""
    cells = [f"`{setting.key}`", default(setting.default), setting.allowed, setting.description]
    return f"| {' | '.join(cells)} |"


def default(value: object) -> str:
    """A default as the file would have it."""
    if value in (None, "", ()):
        return "none"
    if value == eventlogs.DEFAULT:
        return "those of [windows.md](windows.md)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
