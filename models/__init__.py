"""The networks, their operators, their weights and their cost."""

from models.catalog import create, names

__all__ = ["create", "names"]
