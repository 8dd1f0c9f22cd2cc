"""The claims of the source texts, each held against what this machine shows."""
