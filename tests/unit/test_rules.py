"""Drop rules: what is read, and what is left out with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import config, watches
from endpoint_agent._native import Rules
from endpoint_agent.rules import FIELDS, MAX_RULES, OPERATORS, Filter, Rule, read

UUID = "6d7d1b3e-0f1c-4a7b-9a64-1f6f7a1f9a01"


def rule(field: Any = "process.name", operator: Any = "==", value: Any = "curl") -> dict[str, Any]:
    condition = {"field": field, "operator": operator, "value": value}
    return {"uuid": UUID, "action": 1, "filters": [condition]}


def complaint(value: object) -> str:
    (found,) = read([value])
    assert isinstance(found, str)
    return found


def test_a_rule_is_read() -> None:
    (found,) = read([rule()])
    assert found == Rule(UUID, (Filter("process.name", "==", ("curl",)),))
    assert Rules((), [found]).counts() == [(UUID, 0)]


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("action.name", "in", ["file-created", "connected-to"]),
        ("event.code", "==", 3),
        ("file.size", ">=", 1.5),
        ("user.id", "<", 1000),
        ("destination.port", "in", [53, 443]),
        ("process.command_line", "not contains", "--secret"),
        ("process.args", "contains", "é"),
        ("file.path", "starts with", "/var/cache/"),
        ("destination.ip", "starts with", "10."),
        ("action.properties.deleted", "!=", True),
        ("destination.ip", "==", "::1"),
        ("tags", "==", "software_mgmt"),
    ],
)
def test_fields_of_every_type(field: str, operator: str, value: object) -> None:
    (found,) = read([rule(field, operator, value)])
    assert isinstance(found, Rule)
    operands = value if isinstance(value, list) else [value]
    assert found.filters == (Filter(field, operator, tuple(operands)),)
    Rules((), [found])


def test_every_operator_is_known_to_the_core() -> None:
    for operator in OPERATORS:
        Rules((), [Rule(UUID, (Filter("process.name", operator, ("x",)),))])
    with pytest.raises(ValueError, match="no such operator: ~"):
        Rules((), [Rule(UUID, (Filter("process.name", "~", ("x",)),))])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "found 7; allowed: a mapping with uuid, action, filters"),
        ({}, "uuid is missing"),
        ({**rule(), "enabled": True}, "found the key 'enabled'; allowed: uuid, action, filters"),
        ({**rule(), "uuid": "one"}, "uuid: found 'one'; allowed: a UUID"),
        ({**rule(), "uuid": 1}, "uuid: found 1; allowed: a UUID"),
        ({**rule(), "action": 2}, "action: found 2; allowed: 1, which drops the event"),
        ({**rule(), "action": True}, "action: found True; allowed: 1, which drops the event"),
        ({**rule(), "filters": []}, "filters: found a list of 0; allowed: a list of 1 to 32"),
        ({**rule(), "filters": "x"}, "filters: found 'x'; allowed: a list of 1 to 32"),
        (rule("process.exe"), "field: found 'process.exe'; did you mean process."),
        (rule("qqqqqqq"), "field: found 'qqqqqqq'; allowed: "),
        (rule("agent.id"), "field: found 'agent.id'; "),
        (rule("event.sequence"), "field: found 'event.sequence'; "),
        (rule(operator="~"), "operator: found '~'; allowed: ==, !=, in, contains, not contains, s"),
        (rule(operator=["=="]), "operator: found a list of 1; allowed: "),
        (rule(value=""), "value: found ''; allowed for process.name ==: a text of 1 to 4096 bytes"),
        (rule(value="\ud800"), "value: found '\\ud800'; allowed for process.name ==: a text"),
        (rule(value="x" * 5000), f"value: found '{'x' * 59}…; allowed"),
        (rule(value=420), "value: found 420; allowed for process.name ==: a text"),
        (rule(value=None), "value: found None; allowed for process.name ==: a text"),
        (rule("file.size", "==", "1"), "value: found '1'; allowed for file.size ==: a number"),
        (rule("file.size", "==", True), "value: found True; allowed for file.size ==: a number"),
        (rule("file.size", "<", float("nan")), "value: found nan; allowed"),
        (rule("file.size", "contains", "1"), "operator: contains is not for fields of type long"),
        (
            rule("file.size", "starts with", "1"),
            "operator: starts with is not for fields of type long",
        ),
        (
            rule("file.path", "starts with", ""),
            "value: found ''; allowed for file.path starts with: a",
        ),
        (
            rule("file.path", "starts with", 7),
            "value: found 7; allowed for file.path starts with: a t",
        ),
        (rule("destination.ip", "<", 1), "operator: < is not for fields of type ip"),
        (rule("process.name", ">", "a"), "value: found 'a'; allowed for process.name >: a number"),
        (rule("process.name", "in", "a"), "value: found 'a'; allowed for in: a list of 1 to 1000"),
        (rule("process.name", "in", []), "value: found a list of 0; allowed for in: a list"),
        (rule("process.name", "in", ["a", 1]), "value: found 1; allowed for process.name in:"),
        (rule("action.properties.deleted", "==", 1), "value: found 1; allowed"),
    ],
)
def test_what_is_no_good_is_told(value: object, words: str) -> None:
    assert complaint(value).startswith(words)


def test_the_others_work() -> None:
    other = {**rule(), "uuid": "00000000-0000-0000-0000-00000000000A"}
    found = list(read([rule(), 1, rule(), other]))
    assert [isinstance(it, Rule) for it in found] == [True, False, False, True]
    assert found[2] == f"uuid {UUID} is given twice; rename one"


def test_their_number_is_bounded() -> None:
    many = [{**rule(), "uuid": f"00000000-0000-0000-0000-{n:012}"} for n in range(MAX_RULES + 2)]
    found = list(read(list(many)))
    assert sum(isinstance(it, Rule) for it in found) == MAX_RULES
    assert found[MAX_RULES:] == ["there are more than 256; all from here on are ignored"]


def test_fields_of_the_agents_own_records_are_none_of_a_rules() -> None:
    for field in ("agent.version", "host.hostname", "log.level", "action.properties.cause"):
        assert field not in FIELDS
    for field in ("event.action", "action.name", "process.executable", "tags", "file.path"):
        assert FIELDS[field] == "keyword"


def test_counts_go_on_where_the_uuid_is_the_same() -> None:
    one, other = Rule(UUID, (Filter("process.name", "==", ("x",)),)), "11111111" + UUID[8:]
    before = Rules((), [one])
    after = Rules((), [Rule(other, one.filters), one], before)
    assert after.counts() == [(other, 0), (UUID, 0)]


def test_the_examples_of_the_page_work(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    watching, dropping = (part.partition("```")[0] for part in page.split("```yaml\n")[1:])

    path = tmp_path / "file.yaml"
    path.write_text(watching)
    path.chmod(0o600)
    found = watches.read(path)
    assert found.complaints == ()
    path.write_text(f"IntakeKey: abc\n{dropping}")
    settings = config.load(path)
    assert settings.warnings == ()
    Rules(found.watches, settings.optimization_rules)

    for watch in watches.read(watches.SHIPPED).watches:
        assert f"`{watch.tag}`" in page
