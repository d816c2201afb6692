"""Nothing heavy is loaded before it is used."""

import json
import pkgutil
import subprocess
import sys

import pytest

import rtaffect

HEAVY = ("torch", "mne", "mne_realtime", "cv2", "nibabel", "pydicom", "onnxruntime", "offline")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(rtaffect.__path__, prefix="rtaffect.")
    # The one is to run the program; pictures are the trade of the other, a process of its own.
    if not module.name.endswith("__main__") and not module.name.startswith("rtaffect.face.")
)


def loaded_after(statement: str) -> list[str]:
    code = (
        f"import json, sys\n{statement}\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_program_answers_with_nothing_heavy(argument: str) -> None:
    statement = (
        f"sys.argv = ['rtaffect', {argument!r}]\n"
        "from rtaffect.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code"
    )
    assert loaded_after(statement) == []


def test_every_module_of_the_runtime_imports_with_nothing_heavy() -> None:
    assert len(MODULES) > 40
    assert loaded_after(f"import importlib\nfor n in {MODULES!r}: importlib.import_module(n)") == []


def test_torch_would_be_noticed() -> None:
    assert loaded_after("sys.modules['torch'] = sys") == ["torch"]
