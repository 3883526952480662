.PHONY: install check test bench validate fuzz docs

install:  ## Install the package and what development needs.
	python -m pip install -e '.[dev]'

check:  ## Lint and types.
	ruff check .
	ruff format --check .
	mypy

test:  ## All tests.
	pytest -n auto

bench:  ## Verdicts of pairs whose answer is known, readers, joins, then speed and memory (2 hours).
	python -m benchmarks.verdicts
	python -m benchmarks.readers
	python -m benchmarks.joins
	python -m benchmarks --all

validate:  ## How often the verdict is wrong; writes docs/validation.md.
	python -m benchmarks.validation

fuzz:  ## Mutants, kills and changed inputs; writes docs/reliability.md (1 hour).
	python -m benchmarks.fuzz --write
	python -m benchmarks.killed --write
	python -m benchmarks.changed --write

docs:  ## Rewrite the table of docs/verdicts.md, the outputs in docs/inputs.md and the pictures.
	python -m benchmarks.verdicts --write
	DOCS=write pytest tests/test_docs_outputs.py tests/test_docs_json.py
	python docs/make_cli.py
	python docs/make_pictures.py
