from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.deliver.client import IntakeClient, needs_proxy
from endpoint_agent.errors import ConfigError


@pytest.mark.parametrize(
    ("host", "domains", "needed"),
    [
        ("intake.example.com", [], True),
        ("intake.example.com", ["example.com"], False),
        ("intake.example.com", [".example.com"], False),
        ("intake.example.com", ["INTAKE.Example.COM"], False),
        ("INTAKE.example.com", ["intake.example.com"], False),
        ("intake.example.com", ["ample.com"], True),
        ("intake.example.com", ["intake.example.com.org", "x.intake.example.com"], True),
        ("192.0.2.7", ["192.0.2.7"], False),
        ("2001:db8::1", ["2001:db8::1"], False),
        ("localhost", [], False),
        ("127.0.0.1", [], False),
        ("::1", [], False),
    ],
)
def test_no_proxy_domains(host, domains, needed):
    assert needs_proxy(host, domains) is needed


@pytest.mark.parametrize(
    "url",
    [
        "http://intake.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1:8000",
        "ftp://localhost",
    ],
)
def test_the_key_never_travels_in_clear_text(url):
    with pytest.raises(ConfigError, match="IntakeURL: must be https"):
        IntakeClient(Settings(intake_key="k", intake_url=url))


@pytest.mark.parametrize("url", ["http://u:S3CRET@[::1", "socks4://u:S3CRET@proxy:1080"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="HTTPProxyURL") as caught:
        IntakeClient(Settings(intake_key="k", http_proxy_url=url))
    assert "S3CRET" not in str(caught.value)


def test_an_intake_without_a_bundle_is_checked_against_known_authorities():
    IntakeClient(Settings(intake_key="k", intake_url="https://intake.example")).close()


def test_delivery_does_not_import_the_client_above_its_transport():
    code = (
        "import sys, endpoint_agent.deliver; "
        "print(sorted({'httpx', 'asyncio', 'urllib.request', 'http.client'} & set(sys.modules)))"
    )
    path = str(Path(__file__).parents[3] / "python")
    output = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": path},
    )
    assert output.stdout == "[]\n"
