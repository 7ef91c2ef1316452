"""The signed repository of updates, by The Update Framework (TUF).

    UpdateURL/metadata   who may sign what, and what there is
    UpdateURL/targets    the bundles

The root of trust says whose signatures count. What was seen before is kept, so that nobody can
offer less than that again; what is out of date is not believed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpcore
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from endpoint_agent import __version__
from endpoint_agent.config import Settings
from endpoint_agent.configfile import read_private
from endpoint_agent.deliver.client import TIMEOUTS, connection
from endpoint_agent.errors import ConfigError, UpdateError
from endpoint_agent.update import choice
from endpoint_agent.update.choice import Offer

# What a build of the agent may ship.
ROOT = Path(__file__).with_name("root.json")

# Seconds for a file of metadata and for a bundle, however slowly they come.
METADATA_TIMEOUT = 60.0
BUNDLE_TIMEOUT = 1800.0

# Bytes of metadata. A root is some 3 KB, targets some 500 bytes a bundle.
LIMITS = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=1,
    root_max_length=256_000,
    timestamp_max_length=16_384,
    snapshot_max_length=64_000,
    targets_max_length=1_000_000,
)


class Repository:
    """The repository of some settings, as it was at the first question."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Takes the folder that keeps the metadata, and the bundle while it is read.

        Raises:
            ConfigError: there is no address or no root of trust, or one that cannot be used.
            UpdateError: the root of trust is none.
        """
        if settings.update_url is None:
            raise ConfigError(
                "UpdateURL: is not set; name the repository of updates, or install a new version"
            )
        self._folder = folder
        root = root_of_trust(settings)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = settings.update_url.rstrip("/")
        with _told(base):
            self._updater = Updater(
                metadata_dir=str(folder),
                metadata_base_url=f"{base}/metadata/",
                target_base_url=f"{base}/targets/",
                fetcher=Fetcher(settings, base),
                config=LIMITS,
                bootstrap=root,
            )
        self._base = base

    def offers(self) -> list[Offer]:
        """The bundles for this platform.

        Raises:
            UpdateError: the repository cannot be reached, or not be believed.
        """
        with _told(self._base):
            self._updater.refresh()
            # Just written, of what was verified.
            targets = Metadata[Any].from_file(str(self._folder / "targets.json")).signed
        found = ((t.path, t.length, t.custom) for t in targets.targets.values())
        return list(choice.offers(found))

    def fetch(self, offer: Offer, path: Path) -> None:
        """Downloads a bundle.

        Raises:
            UpdateError: it cannot be had, or is not what was signed.
        """
        with _told(self._base), _temporary_files(path.parent):
            target = self._updater.get_targetinfo(offer.path)
            if target is None:
                raise UpdateError(f"{self._base} does not have {offer.path}")
            self._updater.download_target(target, str(path))


@contextmanager
def _temporary_files(folder: Path) -> Iterator[None]:
    """Has tuf keep a file in a folder until it is verified: /tmp may be small."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


class Fetcher(FetcherInterface):
    """Gets files as the agent delivers: by its proxy and its authorities, with an end."""

    def __init__(self, settings: Settings, base: str) -> None:
        """Connects nothing yet.

        Raises:
            ConfigError: an address or the CA bundle cannot be used.
        """
        try:
            self._connection = connection(settings, base, "UpdateURL")
        except (TypeError, ValueError):
            raise ConfigError("UpdateURL or HTTPProxyURL: is no address") from None

    def _fetch(self, url: str) -> Iterator[bytes]:
        # The path of a target is the signer's choice; what an address cannot hold is quoted.
        patience = METADATA_TIMEOUT if url.endswith(".json") else BUNDLE_TIMEOUT
        end = time.monotonic() + patience
        headers = [
            ("User-Agent", f"endpoint-agent/{__version__}"),
            ("Accept-Encoding", "identity"),
        ]
        try:
            with self._connection.stream(
                "GET",
                quote(url, safe=":/?#[]@!$&'()*+,;=%"),
                headers=headers,
                extensions={"timeout": TIMEOUTS},
            ) as response:
                if response.status != 200:
                    raise DownloadHTTPError(f"HTTP {response.status}", response.status)
                for chunk in response.iter_stream():
                    if time.monotonic() > end:
                        raise DownloadError(f"it was not there after {patience:.0f} s")
                    yield chunk
        except (
            OSError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.ProxyError,
            httpcore.TimeoutException,
        ) as error:
            raise DownloadError(f"{type(error).__name__}: {error}") from error


def root_of_trust(settings: Settings) -> bytes:
    """The metadata that says whose signatures count: of the settings, else of this build.

    Raises:
        ConfigError: there is none, or somebody else could have written it.
    """
    path = settings.update_root or ROOT
    if settings.update_root is None and not ROOT.exists():
        raise ConfigError(
            "UpdateRoot: is not set, and this build has no root of trust; "
            "name the root.json of who signs your updates"
        )
    return read_private(path)[0].encode("utf-8")


@contextmanager
def _told(base: str) -> Iterator[None]:
    """Tells what is wrong in words of the agent's."""
    try:
        yield
    except ExpiredMetadataError as error:
        raise UpdateError(
            f"{base} is out of date, or someone withholds what is newer: {error}; "
            "have its metadata signed anew, and look at this host's clock"
        ) from error
    except LengthOrHashMismatchError as error:
        raise UpdateError(f"{base} sent something else than was signed: {error}") from error
    except DownloadError as error:
        raise UpdateError(f"{base} cannot be read: {error}") from error
    except (RepositoryError, ValueError) as error:
        raise UpdateError(f"{base} is not to be trusted: {error}") from error
