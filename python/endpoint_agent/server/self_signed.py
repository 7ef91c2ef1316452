"""A certificate of our own making, for teams without an authority of theirs.

It is issued by a certificate authority that signs once: its private key is never written, so
that an agent which trusts `ca.pem` trusts this one certificate and nothing a thief could sign.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from pathlib import Path
from typing import NamedTuple

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from endpoint_agent.errors import ServerError

_VALID = datetime.timedelta(days=3650)
_CLOCK_SKEW = datetime.timedelta(days=1)
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class OwnCertificate(NamedTuple):
    """The PEM files of one certificate."""

    cert: Path
    key: Path
    ca: Path
    """What agents need as `CABundlePath`."""


def self_signed(folder: Path, host: str) -> OwnCertificate:
    """The certificate for a listen host, made when there is none.

    Raises:
        ServerError: the one made earlier is expired or for another host, or cannot be written.
    """
    made = OwnCertificate(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    try:
        if made.cert.exists():
            _check(made.cert, host)
        else:
            folder.mkdir(mode=0o700, exist_ok=True)
            _issue(made, _names(host))
    except (OSError, ValueError) as error:
        raise ServerError(
            f"the certificate in {folder} cannot be used: {error}: remove that folder to have a "
            "new one made, then give its ca.pem to the agents as CABundlePath"
        ) from error
    return made


def _check(cert: Path, host: str) -> None:
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    if found.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise ValueError(f"it expired on {found.not_valid_after_utc:%Y-%m-%d}")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if host not in _WILDCARDS and _general_name(host) not in names:
        raise ValueError(f"it does not name {host}")


def _names(host: str) -> list[x509.GeneralName]:
    """Names and addresses under which agents may reach the listen host."""
    names = [host, "localhost", "127.0.0.1", "::1", socket.gethostname()]
    if host in _WILDCARDS:
        names = names[1:] + [
            address.address
            for addresses in psutil.net_if_addrs().values()
            for address in addresses
            if address.family in (socket.AF_INET, socket.AF_INET6) and "%" not in address.address
        ]
    return list(dict.fromkeys(_general_name(name) for name in names))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower())


def _issue(made: OwnCertificate, names: list[x509.GeneralName]) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_cert = _authority(ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    cert = _server(key.public_key(), ca_key, ca_cert, names)
    _write(made.key, private)
    _write(made.ca, ca_cert.public_bytes(serialization.Encoding.PEM))
    # Last: where this file is, the others are whole.
    _write(made.cert, cert.public_bytes(serialization.Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _subject("endpoint-agent intake CA")
    return (
        _builder(name, name, key.public_key(), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePublicKey,
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    names: list[x509.GeneralName],
) -> x509.Certificate:
    return (
        _builder(_subject("endpoint-agent intake"), ca.subject, key, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(issued_by, critical=False)
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(content)
