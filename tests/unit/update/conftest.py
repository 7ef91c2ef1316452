"""What needs the extra `update` is left out where it is not installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("tuf") else ["test_client.py", "test_repository.py"]
