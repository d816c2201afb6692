"""What import-linter cannot say: only the file at an edge names its library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "rtaffect"

EDGES = {
    "pylsl": {"sources/lsl_inlet.py", "publish/lsl.py"},
    "zmq": {"publish/", "client.py", "simulate/", "sources/volumes.py", "scanner/"},
    "onnxruntime": {"decode/session.py"},
    "mne": {
        "sources/mne_recording.py",
        "signal/montage.py",
        "report.py",
        "epochs.py",
    },
    "mne_realtime": {"sources/fieldtrip.py"},
    "pyxdf": {"sources/xdf_file.py"},
    "yaml": {"config/"},
    "cv2": {"face/"},
    "torch": set(),
    "offline": set(),
}
OUT_OF_REACH = {
    "offline": ("cli", "engine", "monitor", "report", "epochs"),
    "rtaffect/monitor": tuple(
        path.stem
        for path in RUNTIME.iterdir()
        if path.stem not in {"client", "wire", "core", "monitor", "version"}
    ),
}


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", EDGES)
def test_only_its_edge_names_a_library(library: str) -> None:
    files = {
        path.relative_to(RUNTIME).as_posix()
        for path in RUNTIME.rglob("*.py")
        if library in {name.split(".")[0] for name in imports(path)}
    }
    strangers = {file for file in files if not file.startswith(tuple(EDGES[library]))}
    assert not strangers


@pytest.mark.parametrize("folder", OUT_OF_REACH)
def test_some_parts_are_out_of_reach(folder: str) -> None:
    barred = {f"rtaffect.{name}" for name in OUT_OF_REACH[folder]}
    reached = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if ".".join(name.split(".")[:2]) in barred
    }
    assert not reached


def test_nobody_reads_pickles_or_free_yaml() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("rtaffect", "offline", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr)
        in {("yaml", "load"), ("pickle", "load"), ("pickle", "loads")}
    ]
    assert not found


def test_torch_loads_nothing_but_weights() -> None:
    calls = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.keywords)
        for folder in ("rtaffect", "offline", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert calls
    for where, keywords in calls:
        settings = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
        assert settings.get("weights_only") == "True", where
