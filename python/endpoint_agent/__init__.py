"""Endpoint detection agent: kernel events to ECS JSON, delivered without silent loss."""

from importlib.metadata import version

__version__ = version("endpoint-agent")
