"""Delivery: batches of the queue go to the intake over HTTPS, at least once, in order."""

from endpoint_agent.deliver.client import check
from endpoint_agent.deliver.loop import Deliverer, Pace
from endpoint_agent.deliver.state import DeliveryState

__all__ = ["Deliverer", "DeliveryState", "Pace", "check"]
