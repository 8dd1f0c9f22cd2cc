"""The machine a measurement was taken on."""

from measuring.cores import available_cores

__all__ = ["available_cores"]
