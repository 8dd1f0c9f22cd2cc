"""The networks, their operators, their weights and their cost."""

from models.catalog import create, names, sketch
from models.checkpoint import load_state
from models.cost import Cost, cost
from models.load import Loaded, load
from models.weights import WEIGHTS, Weights

__all__ = [
    "WEIGHTS",
    "Cost",
    "Loaded",
    "Weights",
    "cost",
    "create",
    "load",
    "load_state",
    "names",
    "sketch",
]
