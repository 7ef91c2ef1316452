"""Makes and keeps a signed repository of updates: docs/updates.md.

KEYS has a folder for each of root, targets, snapshot and timestamp, with its private keys (PEM,
0600). Those of root and targets belong on a machine that no agent and no web server can reach; for
`refresh` the other two are enough.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)

# Until when a signature counts. An agent that is offered nothing newer by then says so.
LIFE = {
    Root.type: timedelta(days=730),
    Targets.type: timedelta(days=365),
    Snapshot.type: timedelta(days=30),
    Timestamp.type: timedelta(days=7),
}

BUNDLE = re.compile(r"endpoint-agent-(\d+\.\d+\.\d+)-(linux-x86_64|win_amd64)\.tar\.gz")


class Repository:
    """The files of a repository, and the keys that are at hand."""

    def __init__(self, keys: Path, folder: Path) -> None:
        self._keys = keys
        self._metadata = folder / "metadata"
        self._targets = folder / "targets"

    def init(self, root_keys: int) -> None:
        """Makes keys and an empty repository. Of the keys of the root most have to sign."""
        if (self._metadata / "timestamp.json").exists():
            raise SystemExit(f"{self._metadata} is a repository already")
        self._metadata.mkdir(parents=True)
        self._targets.mkdir()
        root = Root(expires=expiry(Root.type), consistent_snapshot=True)
        for role in ROLES:
            for _ in range(root_keys if role == Root.type else 1):
                root.add_key(self._make_key(role).public_key, role)
        root.roles[Root.type].threshold = root_keys // 2 + 1
        self._write(Metadata(root))
        self._write(Metadata(Targets(expires=expiry(Targets.type))))
        self._write(Metadata(Snapshot(expires=expiry(Snapshot.type))))
        self._write(Metadata(Timestamp(expires=expiry(Timestamp.type))))

    def add(self, bundles: Sequence[Path], percentage: int) -> None:
        """Adds bundles, or changes the share of hosts that may have them."""

        def change(targets: Targets) -> None:
            for path in bundles:
                match = BUNDLE.fullmatch(path.name)
                if match is None:
                    raise SystemExit(f"{path} is no bundle: endpoint-agent-VERSION-PLATFORM.tar.gz")
                target = TargetFile.from_file(path.name, str(path), ["sha256"])
                target.unrecognized_fields["custom"] = {
                    "version": match[1],
                    "platform": match[2],
                    "percentage": percentage,
                }
                place = self._targets / f"{target.hashes['sha256']}.{path.name}"
                if not place.exists():
                    part = place.with_suffix(".part")
                    shutil.copyfile(path, part)
                    part.replace(place)
                targets.targets[path.name] = target

        self._change_targets(change)

    def stage(self, version: str, percentage: int) -> None:
        """Changes the share of hosts that may have a version."""

        def change(targets: Targets) -> None:
            for target in self._of(targets, version):
                target.custom["percentage"] = percentage

        self._change_targets(change)

    def withdraw(self, version: str) -> None:
        """Offers a version no more. Hosts that have it keep it."""

        def change(targets: Targets) -> None:
            for target in self._of(targets, version):
                del targets.targets[target.path]

        self._change_targets(change)

    def refresh(self) -> None:
        """Signs anew what the online keys sign, so that it does not expire."""
        snapshot = self._read(Snapshot.type)
        snapshot.signed.version += 1
        snapshot.signed.meta = {"targets.json": MetaFile(self._read(Targets.type).signed.version)}
        snapshot.signed.expires = expiry(Snapshot.type)
        self._write(snapshot)
        timestamp = self._read(Timestamp.type)
        timestamp.signed.version += 1
        timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
        timestamp.signed.expires = expiry(Timestamp.type)
        self._write(timestamp)

    def rotate(self, role: str) -> None:
        """Replaces the keys of a role by as many new ones."""
        before = self._read(Root.type)
        root = Metadata(deepcopy(before.signed))
        old = list(root.signed.roles[role].keyids)
        for keyid in old:
            root.signed.revoke_key(keyid, role)
        for _ in old:
            root.signed.add_key(self._make_key(role).public_key, role)
        self._renew(root, before)
        for keyid in old:
            (self._keys / role / f"{keyid}.pem").unlink(missing_ok=True)
        if role == Targets.type:
            self._change_targets(lambda targets: None)
        elif role != Root.type:
            self.refresh()

    def renew(self) -> None:
        """Signs the root anew, so that it does not expire."""
        before = self._read(Root.type)
        self._renew(Metadata(deepcopy(before.signed)), before)

    def _renew(self, root: Metadata[Root], before: Metadata[Root]) -> None:
        root.signed.version += 1
        root.signed.expires = expiry(Root.type)
        # A new root is signed by the keys of the one before, too.
        self._write(root, before)

    def _change_targets(self, change: Callable[[Targets], None]) -> None:
        targets = self._read(Targets.type)
        change(targets.signed)
        targets.signed.version += 1
        targets.signed.expires = expiry(Targets.type)
        self._write(targets)
        self.refresh()

    @staticmethod
    def _of(targets: Targets, version: str) -> list[TargetFile]:
        found = [t for t in targets.targets.values() if (t.custom or {}).get("version") == version]
        if not found:
            raise SystemExit(f"{version} is not in the repository")
        return found

    def _read(self, role: str) -> Metadata[Any]:
        if role == Timestamp.type:
            return Metadata.from_file(str(self._metadata / "timestamp.json"))
        versions = [
            int(path.name.partition(".")[0]) for path in self._metadata.glob(f"*.{role}.json")
        ]
        return Metadata.from_file(str(self._metadata / f"{max(versions)}.{role}.json"))

    def _write(self, metadata: Metadata[Any], before: Metadata[Root] | None = None) -> None:
        """Signs and writes: the file that others refer to last, so that a reader finds it all."""
        role = metadata.signed.type
        metadata.signatures.clear()
        root = metadata.signed if role == Root.type else self._read(Root.type).signed
        wanted = list(root.roles[role].keyids)
        if before is not None:
            wanted += before.signed.roles[role].keyids
        for keyid in dict.fromkeys(wanted):
            if (signer := self._signer(role, keyid)) is not None:
                metadata.sign(signer, append=True)
        for one in (root, before.signed) if before is not None else (root,):
            try:
                one.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            except UnsignedMetadataError as error:
                raise SystemExit(f"keys are missing in {self._keys / role}: {error}") from error
        is_timestamp = role == Timestamp.type
        name = f"{role}.json" if is_timestamp else f"{metadata.signed.version}.{role}.json"
        part = self._metadata / f".{name}.part"
        part.write_bytes(metadata.to_bytes())
        part.replace(self._metadata / name)

    def _make_key(self, role: str) -> CryptoSigner:
        private = Ed25519PrivateKey.generate()
        signer = CryptoSigner(private)
        folder = self._keys / role
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = folder / f"{signer.public_key.keyid}.pem"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        return signer

    def _signer(self, role: str, keyid: str) -> CryptoSigner | None:
        path = self._keys / role / f"{keyid}.pem"
        if not path.exists():
            return None
        private = serialization.load_pem_private_key(path.read_bytes(), None)
        return CryptoSigner(private)


def expiry(role: str) -> datetime:
    """When what is signed now ends."""
    return datetime.now(UTC).replace(microsecond=0) + LIFE[role]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/repository", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_)
        command.add_argument("keys", type=Path, metavar="KEYS")
        command.add_argument("folder", type=Path, metavar="REPOSITORY")
        return command

    add("init", "make keys and an empty repository").add_argument(
        "--root-keys", type=int, default=1, metavar="N", help="of which most have to sign"
    )
    bundles = add("add", "offer bundles")
    bundles.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    bundles.add_argument("--percentage", type=percentage, default=100, metavar="N")
    stage = add("stage", "change the share of hosts that may have a version")
    stage.add_argument("version")
    stage.add_argument("percentage", type=percentage)
    add("withdraw", "offer a version no more").add_argument("version")
    add("refresh", "sign snapshot and timestamp anew")
    add("renew", "sign the root anew")
    add("rotate", "replace the keys of a role").add_argument("role", choices=ROLES)
    options = parser.parse_args(argv)
    repository = Repository(options.keys, options.folder)
    match options.command:
        case "init":
            repository.init(options.root_keys)
        case "add":
            repository.add(options.bundles, options.percentage)
        case "stage":
            repository.stage(options.version, options.percentage)
        case "withdraw":
            repository.withdraw(options.version)
        case "rotate":
            repository.rotate(options.role)
        case "refresh":
            repository.refresh()
        case "renew":
            repository.renew()
    return 0


def percentage(text: str) -> int:
    """A share of hosts."""
    value = int(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("is not from 0 to 100")
    return value


if __name__ == "__main__":
    sys.exit(main())
