# make demo and make test need nothing but Python 3.11+ and make: both set themselves up.
.PHONY: setup demo test test-full check format clean
.DEFAULT_GOAL := demo

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt scripts/install
	scripts/install

demo: setup
	.venv/bin/stride demo

# Two files of tests at a time; -n0 for one.
test: check
	.venv/bin/python -m pytest -n 2 --dist loadfile

# Every network at its own size in every precision, besides: an hour or two.
test-full: check
	.venv/bin/python -m pytest -m "full or not full"

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .perf-analyzer build *.egg-info
