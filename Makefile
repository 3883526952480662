.PHONY: install check test bench validate docs

install:  ## Install the package and what development needs.
	python -m pip install -e '.[dev]'

check:  ## Lint and types.
	ruff check .
	ruff format --check .
	mypy

test:  ## All tests.
	pytest -n auto

bench:  ## Verdicts of pairs whose answer is known, then seconds and memory of a large pair.
	python -m benchmarks.verdicts
	python -m benchmarks.large

validate:  ## How often the verdict is wrong; writes docs/validation.md.
	python -m benchmarks.validation

docs:  ## Rewrite the table of docs/verdicts.md.
	python -m benchmarks.verdicts --write
