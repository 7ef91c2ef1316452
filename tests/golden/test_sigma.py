"""The fields of Windows' records are those that Sigma's rules for ECS look for.

What a rule calls a value, and which field that is, is taken from the package
`pysigma-backend-elasticsearch`; which field the agent makes of it, from docs/windows.md.
"""

from __future__ import annotations

from pathlib import Path

from sigma.pipelines.elasticsearch.windows import ecs_windows, ecs_windows_variable_mappings

PAGE = Path(__file__).parent.parent.parent / "docs/windows.md"

# Of every record.
HEAD = {
    "EventID": "event.code",
    "Channel": "winlog.channel",
    "ComputerName": "winlog.computer_name",
}

# Where the agent has another field, and why.
OTHERS = {
    "Provider_Name": "event.provider",  # The original agent's.
    "Signed": "file.code_signature.exists",  # ECS has no `signed`.
    "QueryStatus": "dns.response_code",  # The original agent's.
    "Application": "process.name",  # Its path is one of a device.
    "TargetDomainName": "user.target.domain",  # The target is not who acts.
}

# Values that have no field: they are under their own names, in `action.properties`.
WITHOUT = {
    "Archived",
    "CommandName",
    "CommandPath",
    "CommandType",
    "Destination",
    "EngineVersion",
    "FileName",
    "HostApplication",  # A line of a longer value, which the agent reads.
    "HostId",
    "HostName",
    "HostVersion",
    "Imphash",  # One of several digests in a value, which the agent reads.
    "IsExecutable",
    "MessageNumber",
    "MessageTotal",
    "NewEngineState",
    "NewProviderState",
    "Payload",
    "PipelineId",
    "PreviousEngineState",
    "ProviderName",
    "RunspaceId",
    "ScriptBlockId",
    "ScriptBlockText",
    "ScriptName",
    "SequenceNumber",
    "SubjectLogonId",
    "TargetLogonId",
}


def test_values_have_the_fields_that_rules_look_for() -> None:
    ours: dict[str, set[str]] = {name: {field} for name, field in HEAD.items()}
    for line in PAGE.read_text().splitlines():
        row = line.strip("| ").split(" | ")
        if len(row) >= 5 and row[3].startswith("`"):
            ours.setdefault(row[2], set()).add(row[3].strip("`"))
    theirs = {(name, field) for name, field in general().items()}
    theirs |= {
        (name, plain(field))
        for name, fields in ecs_windows_variable_mappings.items()
        for _, _, field in fields
        if field.partition(".")[0] not in ("powershell", "winlog")
    }
    for name, field in sorted(theirs):
        if name in OTHERS:
            assert field not in ours.get(name, ()), f"{name} is no exception"
            assert OTHERS[name] in ours.get(name, {"event.provider"})
        elif name in WITHOUT:
            assert name not in ours, f"{name} has a field"
        else:
            assert field in ours[name], f"{name} is {field} elsewhere"
    assert set(OTHERS) | WITHOUT <= {name for name, _ in theirs} | set(
        ecs_windows_variable_mappings
    )


def general() -> dict[str, str]:
    """The fields of values in any kind of record."""
    items = ecs_windows().items
    (item,) = (item for item in items if item.identifier == "ecs_windows_field_mapping")
    return {name: plain(field) for name, field in item.transformation.mapping.items()}


def plain(field: str) -> str:
    """The field itself, of one that is indexed in a second way."""
    return field.removesuffix(".caseless").removesuffix(".text")
