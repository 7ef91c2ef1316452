"""Programs at the kernel's own functions tell what tracepoints tell, with the same fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from .alike import assert_alike
from .capture import Capture, capturing

pytestmark = pytest.mark.live


@pytest.mark.ebpf("there are no tiers")
def test_acts_have_the_fields_that_they_have_by_tracepoints(
    watching: Capture, tmp_path: Path
) -> None:
    if not (watching.sees_objects() and watching.sees_changed_objects()):
        pytest.skip("needs a kernel with fentry or kprobes")
    folder = tmp_path / "acts"
    folder.mkdir()
    with capturing(tmp_path, tier="tracepoint") as tracing:
        assert not tracing.sees_objects()
        assert not tracing.sees_changed_objects()
        assert_alike(tracing, watching, folder)
