"""One command for a bare GPU machine: what answers, how fast, how far from the hardware's limit.

`scripts/gpu --help`; docs/gpu.md has what was found."""
