"""Offline measurement on this machine, apart from any service."""
