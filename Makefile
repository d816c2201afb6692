# Thin on purpose: each target is one or two commands that also work by themselves (README.md).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bundles bundle-fmri clean

demo: .venv/runtime.stamp .venv/face.stamp  ## a simulated participant, decoded live
	$(BIN)/rtaffect demo

test: check .venv/face.stamp  ## everything that CI runs
	$(BIN)/python -m pytest -n 2

check: .venv/dev.stamp  ## style, types, layers, docstrings, spelling
	$(BIN)/python tools/check

bundles: .venv/dev.stamp  ## train the shipped models on simulated participants (minutes, CPU)
	$(BIN)/rtaffect-offline train configs/train/prior_dfcn_eeg_face.yaml
	$(BIN)/rtaffect-offline export runs/prior-dfcn-eeg-face.study.json --out rtaffect/bundles --replace
	$(BIN)/rtaffect-offline train configs/train/prior_dfcn_eeg.yaml
	$(BIN)/rtaffect-offline export runs/prior-dfcn-eeg.study.json --out rtaffect/bundles --replace
	$(BIN)/rtaffect-offline train configs/train/face_simulated.yaml
	$(BIN)/rtaffect-offline export runs/face-simulated.study.json --out rtaffect/bundles --replace
	$(BIN)/rtaffect-offline train configs/train/roi_simulated.yaml
	$(BIN)/rtaffect-offline export runs/roi-simulated.study.json --out rtaffect/bundles --replace

bundle-fmri: .venv/dev.stamp  ## train the shipped model of fMRI (seconds); ./studyforrest holds the data, see docs/data.md
	$(BIN)/rtaffect-offline train configs/train/shared_response_roi.yaml
	$(BIN)/rtaffect-offline export runs/shared-response-roi.study.json --fold sub-01-1 --out rtaffect/bundles --replace

clean:  ## what can be made again; the environment stays
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find rtaffect offline tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed once, and again when the dependencies change. The runtime needs no torch.
.venv/runtime.stamp: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[face]"
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch .venv/runtime.stamp $@

# The networks of `rtaffect face`. Without a network all else works, and the next make tries again.
.venv/face.stamp: | .venv/runtime.stamp
	-$(BIN)/rtaffect face setup && touch $@

.venv:
	$(PYTHON) -m venv .venv
