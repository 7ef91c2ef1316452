"""Delivery: batches of the queue go to the intake over HTTPS, at least once, in order."""

import sys

# httpx imports its command line where it can, and with it rich and click: 6 MB for nothing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from endpoint_agent.deliver.client import check  # noqa: E402
from endpoint_agent.deliver.loop import Deliverer, Pace  # noqa: E402
from endpoint_agent.deliver.state import DeliveryState  # noqa: E402

__all__ = ["Deliverer", "DeliveryState", "Pace", "check"]
