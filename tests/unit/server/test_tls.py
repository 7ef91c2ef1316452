"""TLS: the certificate of our own making, and the user's."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from endpoint_agent.errors import ServerError, UsageError
from endpoint_agent.server import tls
from endpoint_agent.server.main import serve
from endpoint_agent.server.self_signed import OwnCertificate, self_signed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> OwnCertificate:
    return self_signed(tmp_path_factory.mktemp("data") / "tls", "127.0.0.1")


def strict_context(ca: Path) -> ssl.SSLContext:
    """What the strictest verifier, Python 3.13, asks for."""
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def test_agents_verify_it_by_the_printed_file(start, tmp_path: Path) -> None:
    intake = start(tmp_path, self_signed=True)
    bundle, listening = intake.printed
    ca = Path(bundle.removeprefix("CABundlePath: "))
    assert listening == f"intake listening on https://127.0.0.1:{intake.port}"
    for host in ("127.0.0.1", "localhost"):
        with httpx.Client(verify=strict_context(ca), trust_env=False) as client:
            url = f"https://{host}:{intake.port}/plain"
            assert client.post(url, params={"intake_key": "key-0"}, content=b"x").status_code == 202
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        intake.client("key-0", verify=ssl.create_default_context()).get("/")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{intake.port}/", trust_env=False)
    assert intake.end() == (0, "")


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = self_signed(folder, "127.0.0.1")
    content = first.cert.read_bytes()
    assert self_signed(folder, "127.0.0.1").cert.read_bytes() == content
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_it_names_the_ways_to_the_host(tmp_path: Path) -> None:
    named = self_signed(tmp_path / "a", "Intake.example")
    wildcard = self_signed(tmp_path / "b", "0.0.0.0")
    for made, expected in ((named, "intake.example"), (wildcard, "localhost")):
        cert = x509.load_pem_x509_certificate(made.cert.read_bytes())
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {expected, "localhost"} <= set(names.get_values_for_type(x509.DNSName))
        addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
        assert {"127.0.0.1", "::1"} <= addresses
        assert "0.0.0.0" not in addresses


def test_the_authority_key_is_nowhere(made: OwnCertificate) -> None:
    ca = x509.load_pem_x509_certificate(made.ca.read_bytes())
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    assert key.public_key() != ca.public_key()
    pem = [file.read_text() for file in made.ca.parent.iterdir()]
    assert sum("PRIVATE KEY" in text for text in pem) == 1


def test_another_host_or_a_broken_file_is_told(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "tls", "127.0.0.1")
    assert self_signed(tmp_path / "tls", "0.0.0.0") == made
    with pytest.raises(ServerError, match=r"does not name 192\.0\.2\.1.*remove that folder"):
        self_signed(tmp_path / "tls", "192.0.2.1")
    made.cert.write_text("letters")
    with pytest.raises(ServerError, match="remove that folder"):
        self_signed(tmp_path / "tls", "127.0.0.1")


def test_a_certificate_of_the_user(made: OwnCertificate) -> None:
    assert tls.context(made.cert, made.key).minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificates_that_cannot_be_used(made: OwnCertificate, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    other = self_signed(tmp_path / "tls", "127.0.0.1")
    for cert, private in (
        (tmp_path / "missing.pem", made.key),
        (made.key, made.key),
        (made.cert, other.key),
        (made.cert, locked),
    ):
        with pytest.raises(ServerError, match=r"cannot be used.*PEM"):
            serve(tmp_path / "data", "127.0.0.1:0", ["key"], cert, private)


def test_options_that_do_not_go_together(made: OwnCertificate, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belong together"):
        serve(tmp_path, "127.0.0.1:0", ["key"], tls_cert=made.cert)
    with pytest.raises(UsageError, match="--tls-self-signed"):
        serve(tmp_path, "127.0.0.1:0", ["key"], made.cert, made.key, tls_self_signed=True)
