"""Endpoint detection agent: kernel events to ECS JSON, delivered without silent loss."""

from endpoint_agent._native import __version__

__all__ = ["__version__"]
