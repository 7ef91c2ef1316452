"""Signatures of Windows' kind: whether Python's files bear python.org's, and the agent's own.

SIGNING_CERTIFICATE names the certificate, SIGNING_KEY its key, both PEM; SIGNING_TIMESTAMP is the
address of who attests the time, without which a signature ends with its certificate.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

# The roots of Debian's package ca-certificates, DigiCert's, which vouches for it, among them.
ROOTS = "/etc/ssl/certs/ca-certificates.crt"

# SHA-256 of the certificate of the Python Software Foundation by which 3.11.9 was signed, and a
# moment, in seconds since 1970, at which that was valid: the day after the signatures.
PYTHON = "6045e624888e299179d5ae0ceda57c9874ff6ccf889fa14b2d50f751bfb9e2f8"
MOMENT = 1712100000

# Files of Microsoft's, whose root no Debian has, and what is not of a kind that is signed: as they
# were on the day when the signatures of the others were looked at.
PINNED = {
    "vcruntime140.dll": "4d292623516f65c80482081e62d5dadb759dc16e851de5db24c3cbb57b87db83",
    "vcruntime140_1.dll": "a113f192195f245f17389e6ecbed8005990bcb2476ddad33f7c4c6c86327afe5",
    "python311.zip": "7d0f59c930e7d3d9352399ea3c95c0272489b3c09a8e95faaedfa8a23e20e5b1",
}
UNSIGNED = ("LICENSE.txt",)


def verify_python(folder: Path) -> None:
    """Makes sure that each file of Python is python.org's.

    Of the signatures the digest, the chain of certificates and the time are verified; whether a
    certificate was revoked is asked nobody, since a build asks no such server.

    Raises:
        SystemExit: one is not.
    """
    for path in sorted(folder.iterdir()):
        if path.name in UNSIGNED:
            continue
        if path.name in PINNED:
            if hashlib.sha256(path.read_bytes()).hexdigest() != PINNED[path.name]:
                raise SystemExit(f"{path.name} is another one than was pinned")
        elif reason := verify(path, ROOTS, PYTHON, MOMENT):
            raise SystemExit(f"{path.name} is not as python.org has signed it: {reason}")


def verify(path: Path, roots: str, certificate: str, moment: int | None = None) -> str:
    """Why a file is not signed by a certificate, of this SHA-256, that these roots vouch for;
    nothing when it is."""
    command = [
        *("osslsigncode", "verify", "-ignore-cdp", "-ignore-crl"),
        *("-CAfile", roots, "-TSA-CAfile", roots, "-require-leaf-hash", f"sha256:{certificate}"),
        *(() if moment is None else ("-time", str(moment))),
        *("-in", str(path)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        raise SystemExit(
            "osslsigncode is missing; it is in Debian's package of that name"
        ) from None
    said = done.stdout + done.stderr
    return "" if done.returncode == 0 else said.strip()[-500:] or str(done.returncode)


def sign(path: Path, certificate: str, key: str, timestamp: str = "") -> None:
    """Signs a program or an MSI, in place.

    Raises:
        SystemExit: it cannot be signed.
    """
    part = path.with_name(f".{path.name}.signed")
    command = [
        *("osslsigncode", "sign", "-certs", certificate, "-key", key, "-h", "sha256"),
        *("-n", "Endpoint agent", *(("-ts", timestamp) if timestamp else ())),
        *("-in", str(path), "-out", str(part)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SystemExit(f"{path.name} is not signed: {(done.stdout + done.stderr).strip()[-500:]}")
    part.replace(path)


def sign_if_asked(*paths: Path) -> None:
    """Signs files where the environment names a certificate.

    Raises:
        SystemExit: one cannot be signed.
    """
    if not (certificate := os.environ.get("SIGNING_CERTIFICATE")):
        return
    key = os.environ.get("SIGNING_KEY")
    if not key:
        raise SystemExit("SIGNING_KEY has to name the certificate's key, as PEM")
    for path in paths:
        sign(path, certificate, key, os.environ.get("SIGNING_TIMESTAMP", ""))
