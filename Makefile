PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup test demo lint lock bench faults soak wheel-test clean
setup: $(STAMP)
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
test: $(STAMP)
	$(BIN)/python -m pytest
demo: $(STAMP)
	$(BIN)/python -m demo_app
lint: $(STAMP)
	$(BIN)/python -m ruff format --check . && $(BIN)/python -m ruff check . && $(BIN)/python -m mypy
lock: $(STAMP)
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools > constraints.txt.new
	! grep ' @ ' constraints.txt.new
	mv constraints.txt.new constraints.txt
bench: $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r benchmarks/peers.txt
	$(BIN)/python -m benchmarks
faults: $(STAMP)
	$(BIN)/python -m faults
soak: $(STAMP)
	FLOWAUDIT_SOAK=1 $(BIN)/python -m pytest -o timeout=3600
wheel-test:
	rm -rf build/wheel-venv && $(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt '.[all,test]'
	mkdir -p build/outside && ln -sfn ../../demo_app build/outside/demo_app && ln -sfn ../../tests build/outside/tests && ln -sfn ../../faults build/outside/faults
	build/wheel-venv/bin/python -P -m pytest -q -o pythonpath=build/outside
clean:
	rm -rf $(VENV) build dist
