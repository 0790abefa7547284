# make demo   watch a cloud portal move into a box on this machine (about a quarter of an hour; root or sudo)
# make test   everything that CI runs
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
# What pytest is told besides: make test PYTEST="-x -k restore"
PYTEST ?=
# What the bench is told: make bench BENCH="--quick unpack load"
BENCH ?=
BENCH_PACKAGES := aria2 pigz mariadb-server-core mariadb-client-core mariadb-backup zstd rsync
# The stories that CI tells; the others are for test-all.
MOLECULE ?= infrastructure clone
TEST_PACKAGES := chromium mariadb-server-core mariadb-client-core mariadb-backup zstd rsync php-cli php-mysql php-mbstring php-redis nodejs redis-tools xfsprogs git groff-base systemd

.PHONY: help setup lab-packages test-packages demo test test-fast test-and-lint on-hosts test-all lint lint-python lint-content unit integration acceptance acceptance-long molecule molecule-all story bench faults variables clean-lab lock

help:
	@echo 'make setup      .venv with boxlift and bxbackup'
	echo 'make demo       the lab and the whole move on it; the second time much quicker'
	echo 'make test-fast  ruff, mypy, unit and template tests: less than a minute'
	echo 'make test       what CI runs: lint, test-fast, bxbackup, integration, molecule, demo, acceptance'
	echo 'make integration  its part with databases, PHP, Node and a browser on this machine'
	echo 'make acceptance  its part on the lab of make demo; acceptance-long: what takes minutes or restarts its hosts'
	echo 'make story      a rehearsal and the final pass on hosts of their own, with interruptions and damaged parts'
	echo 'make test-all   the same on a lab made anew, and the long proofs: forecast, faults, fuzz, backup'
	echo 'make molecule   the roles on hosts of their own, with Molecule; MOLECULE="trixie clone" names stories'
	echo 'make molecule-all  every story that there is: other platforms and topologies'
	echo 'make unit       unit and template tests alone; PYTEST="-k plan" chooses, here and above'
	echo 'make lint       ruff, mypy, yamllint, ansible-lint'
	echo 'make bench      side-by-side benchmarks, about an hour'
	echo 'make clean-lab  remove all that the lab made, and nothing else'
	echo 'make faults     write docs/faults.md anew from the tests of bxbackup'
	echo 'make variables  write docs/variables.md anew from the roles'
	echo 'make lock       write constraints.txt anew from what pyproject.toml allows'

setup:
	@PYTHON=$(PYTHON) scripts/setup

lab-packages: setup
	@scripts/packages "the lab" $$($(BIN)/python -m boxlift.lab.prerequisite)

test-packages:
	@scripts/packages "the tests" $(TEST_PACKAGES)

demo: lab-packages
	@$(BIN)/boxlift lab demo

test-fast: lint-python
	@$(BIN)/pytest tests/unit $(wildcard tests/templates) -n 2 -m 'not long and not slow' $(PYTEST)

lint: lint-python lint-content

lint-python: setup
	@export PATH=$(BIN):$$PATH
	ruff check .
	ruff format --check .
	mypy src lab tests bxbackup bench

lint-content: setup
	@export PATH=$(BIN):$$PATH
	yamllint .
	ansible-lint --offline

unit: setup
	@$(BIN)/pytest tests/unit $(wildcard tests/templates) $(PYTEST)

# What test-fast leaves out. Every program is there now: a test that misses one fails.
integration: export TEST_PROGRAMS := required
integration: setup test-packages
	@$(BIN)/pytest tests/unit $(wildcard tests/templates) -n 2 -m 'slow and not long' $(PYTEST)
	$(BIN)/pytest tests/integration bxbackup/tests -n 2 $(PYTEST)

# ansible-lint takes a processor for a minute; the tests have the other one meanwhile.
test-and-lint: setup
	@$(MAKE) lint-content >.lint.log 2>&1 & content=$$!
	trap 'rm -f .lint.log' EXIT
	$(MAKE) test-fast || { kill $$content; exit 1; }
	wait $$content || { cat .lint.log; exit 1; }

test: test-and-lint integration on-hosts

# Stories and demo wait for their hosts half of the time: side by side they keep both processors at work. Whatever
# fails first ends the other; what the demo prints comes at the end. The images are made before, once for both.
on-hosts: lab-packages
	@$(BIN)/boxlift lab up
	$(MAKE) molecule & stories=$$!
	$(MAKE) demo acceptance >.demo.log 2>&1 & demo=$$!
	trap 'kill $$stories $$demo 2>/dev/null || true; rm -f .demo.log' EXIT
	for _ in stories demo; do
		wait -n -p ended || { [ $$ended != $$demo ] || cat .demo.log; exit 1; }
	done
	cat .demo.log

# On the lab of the demo, without what takes minutes or restarts its hosts.
acceptance: lab-packages
	@$(BIN)/pytest tests/lab $(PYTEST)

acceptance-long: lab-packages
	@$(BIN)/pytest tests/lab -m long $(PYTEST)

test-all: test-and-lint integration
	@$(BIN)/pytest tests/unit bxbackup/tests -m long
	scripts/bxbackup_on python3.13
	@$(BIN)/boxlift lab down
	$(MAKE) molecule-all demo acceptance acceptance-long story

# Stories of Molecule with the same hosts share them; the hosts are gone when all has gone well.
molecule: lab-packages
	@$(BIN)/python -m tests.scenarios $(MOLECULE)

molecule-all: lab-packages
	@$(BIN)/python -m tests.scenarios --all

# Hosts of its own beside those of the demo; they are gone when it has gone well.
story: lab-packages
	@$(BIN)/pytest -x tests/move $(PYTEST)

bench: setup
	@scripts/packages "the bench" $(BENCH_PACKAGES)
	$(BIN)/python -m bench $(BENCH)

clean-lab: setup
	@$(BIN)/python -m tests.move
	$(BIN)/python -m tests.scenarios --remove
	$(BIN)/boxlift lab down --everything

faults: setup
	@$(BIN)/python bxbackup/tests/faults.py

variables: setup
	@$(BIN)/python tests/unit/variable_document.py

lock:
	@PYTHON=$(PYTHON) scripts/lock
