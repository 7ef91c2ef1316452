"""What deploy/ says, as far as it can be read: `make test-deploy` has others' tools look at it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoint_agent import __version__
from endpoint_agent.config import DEFAULT_PATH, INTAKE_KEY_VARIABLE, Settings, parse
from endpoint_agent.service.managers import template
from endpoint_agent.service.places import COMMAND, CURRENT, NAME
from endpoint_agent.service.systemd import UNIT

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICE = "ansible.builtin.service"
ROLE = DEPLOY / "ansible/roles/endpoint_agent"


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    """Of the cluster, by their kinds."""
    with (DEPLOY / "kubernetes/daemonset.yaml").open() as file:
        return {one["kind"]: one for one in yaml.safe_load_all(file)}


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return dict(objects["DaemonSet"]["spec"]["template"]["spec"])


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return dict(container)


def test_the_capabilities_are_those_of_the_unit(container: dict[str, Any]) -> None:
    match = re.search(r"^CapabilityBoundingSet=(.*)$", template(UNIT), re.MULTILINE)
    assert match
    capabilities = container["securityContext"]["capabilities"]
    assert capabilities["drop"] == ["ALL"]
    assert [f"CAP_{name}" for name in capabilities["add"]] == match[1].split()


def test_the_container_may_no_more_than_it_needs(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    context = container["securityContext"]
    assert context["privileged"] is context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert pod["hostPID"] is pod["hostNetwork"] is True
    assert pod["automountServiceAccountToken"] is False
    writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == [str(Settings().state_directory)]


def test_the_key_comes_from_a_secret(objects: dict[str, Any], container: dict[str, Any]) -> None:
    (variable,) = container["env"]
    assert variable["name"] == INTAKE_KEY_VARIABLE
    assert variable["valueFrom"].keys() == {"secretKeyRef"}
    assert "Secret" not in objects


def test_the_configuration_is_one_of_the_agents(
    objects: dict[str, Any], container: dict[str, Any]
) -> None:
    text = objects["ConfigMap"]["data"]["config.yaml"]
    settings = parse(DEFAULT_PATH, text, key_required=False)
    assert (settings.log_file, settings.disable_auto_update) == (Path("-"), True)
    mount = container["volumeMounts"][0]
    # A file by itself: others may write to the folder that a whole volume is.
    assert (mount["mountPath"], mount["subPath"]) == (str(DEFAULT_PATH), "config.yaml")


def test_names_agree(objects: dict[str, Any], container: dict[str, Any]) -> None:
    spec = objects["DaemonSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    spaces = {one["metadata"].get("namespace") for one in objects.values()} - {None}
    assert spaces == {objects["Namespace"]["metadata"]["name"]}
    assert container["image"].endswith(f":{__version__}")
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert f'ENTRYPOINT ["{container["livenessProbe"]["exec"]["command"][0]}"]' in dockerfile


def tasks() -> list[dict[str, Any]]:
    files = [*(ROLE / "tasks").glob("*.yml"), *(ROLE / "handlers").glob("*.yml")]
    assert len(files) == 4
    return [task for path in files for task in yaml.safe_load(path.read_text())]


def test_no_task_of_the_role_shows_the_key() -> None:
    # The template's own text has it, too.
    having = [task for task in tasks() if re.search("intake_key|config.yaml.j2", str(task))]
    assert len(having) == 2
    assert all(task.get("no_log") is True for task in having)
    assert not any("intake_key" in str(task.get("ansible.builtin.command")) for task in tasks())


def test_the_role_knows_the_agents_places() -> None:
    text = "".join(path.read_text() for path in (ROLE / "tasks").glob("*.yml"))
    for place in (DEFAULT_PATH, CURRENT, COMMAND):
        assert str(place) in text
    services = {task[SERVICE]["name"] for task in tasks() if SERVICE in task}
    assert services == {NAME}
