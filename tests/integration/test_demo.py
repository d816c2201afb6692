"""The demo: four processes, a summary, and nobody left behind."""

import itertools
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.integration

DEMO = [sys.executable, "-m", "rtaffect", "demo", "--duration", "58"]


def start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )


def descendants(process: "subprocess.Popen[str]", n: int) -> list[psutil.Process]:
    """Return the demo's child processes once there are n."""
    for _ in range(200):
        children = psutil.Process(process.pid).children(recursive=True)
        if len(children) >= n:
            return children
        time.sleep(0.05)
    pytest.fail(f"the demo started {len(children)} of {n} processes")


def test_the_demo_ends_by_itself_with_a_summary() -> None:
    demo = start()
    children = descendants(demo, 3)
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    names = ("eeg-face", "fmri", "fused-latest", "fused-aligned")
    for name, target in itertools.product(names, ("valence", "arousal")):
        row = re.search(
            rf"{name}\s+{target}\s+([+-]\d\.\d\d)\s+(\d+)%\s+(\d+)\s+(\d+)\s+([+-]\d\.\d\d)",
            output,
        )
        assert row, output
        assert -1 <= float(row[1]) <= 1
        assert int(row[4]) <= int(row[3])
    latency = re.search(r"p50 ([\d.]+) ms, p99 ([\d.]+) ms \((\d+)\s+estimates\)", output)
    assert latency, output
    assert 0 < float(latency[1]) <= float(latency[2])
    assert int(latency[3]) > 80
    gaps = re.search(r"gaps seen: eeg 0, face \d+, roi (\d+)", " ".join(output.split()))
    assert gaps, output
    assert int(gaps[1]) == 0
    assert not [child for child in children if child.is_running()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("n_children", [1, 3])
def test_an_interrupted_demo_leaves_no_process_behind(number: int, n_children: int) -> None:
    demo = start()
    children = descendants(demo, n_children)
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130, output
    assert "Traceback" not in output
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert len(gone) == len(children)
