"""The header Server-Timing (W3C): what a service says that the stages of a request took."""

import re

_ENTRY = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_MILLISECOND = 1e-3
_LONGEST = 1e9
MOST_STAGES = 32
"""Entries of one header that are read; a service must not fill our memory with names."""


def stages(header: bytes) -> dict[str, float]:
    """Seconds by stage; those of one name are summed, as those of several models are. What has no
    duration, or is no entry of this kind, is left out."""
    text = header.decode("latin-1")
    entries = _ENTRY.findall(text) if '"' in text else text.split(",")
    found: dict[str, float] = {}
    for entry in entries[:MOST_STAGES]:
        name, _, duration = entry.partition(";dur=")  # as nearly everybody writes it
        if ";" in name or not duration.replace(".", "", 1).isdecimal():
            name, duration = _parsed(entry)
        name = name.strip()
        if duration and _TOKEN.fullmatch(name) and (value := float(duration)) < _LONGEST:
            found[name] = found.get(name, 0.0) + value * _MILLISECOND
    return found


def _parsed(entry: str) -> tuple[str, str]:
    """Name and duration, which is empty where there is none that is a number."""
    name, *parameters = _PARAMETER.findall(entry) or [""]
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        value = value.strip().strip('"')
        if key.strip().lower() == "dur" and value.replace(".", "", 1).isdecimal():
            return name, value
    return name, ""
