from __future__ import annotations

import re
import ssl
import sys
from pathlib import Path

import certifi
import pytest

from endpoint_agent.deliver.tls import trusting, trusting_nobody
from endpoint_agent.errors import ConfigError

OWN_STORE = pytest.mark.skipif(sys.platform == "win32", reason="its authorities are no files")


def test_every_context_verifies_certificate_and_name():
    for context in (trusting(None), trusting_nobody()):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert trusting_nobody().cert_store_stats()["x509_ca"] == 0


@OWN_STORE
def test_a_system_without_authorities_falls_back_on_those_of_mozilla(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    known = ssl.create_default_context(cafile=certifi.where()).cert_store_stats()["x509_ca"]
    assert trusting(None).cert_store_stats()["x509_ca"] == known > 50


@OWN_STORE
def test_a_folder_of_authorities_is_enough(monkeypatch, tmp_path):
    (tmp_path / "0a1b2c3d.0").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusting(None).cert_store_stats()["x509_ca"] == 0


def test_a_bundle_replaces_the_authorities_of_the_system(tmp_path):
    bundle = tmp_path / "bundle.pem"
    authority = next(iter(trusting(None).get_ca_certs(binary_form=True)))
    bundle.write_text(ssl.DER_cert_to_PEM_cert(authority))
    assert trusting(bundle).cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("path", ["/nonexistent/bundle.pem", "/"])
def test_a_bundle_that_cannot_be_read_is_named(path):
    with pytest.raises(ConfigError, match=re.escape(f"CABundlePath: {Path(path)} cannot be used")):
        trusting(Path(path))
