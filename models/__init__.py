"""The networks, their operators, their weights and their cost."""

from models.catalog import create, names
from models.cost import Cost, cost

__all__ = ["Cost", "cost", "create", "names"]
