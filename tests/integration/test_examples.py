"""The examples for application writers run as they stand, against a real publisher."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtaffect.core.sinks import Timing
from rtaffect.publish.zmq import ZmqPublisher
from tests.wire_cases import estimate, session

EXAMPLES = Path(__file__).parents[2] / "tools" / "examples"
NO_NODE = "the Node.js example needs `npm ci` in tools/examples"
HAS_NODE = shutil.which("node") is not None and (EXAMPLES / "node_modules" / "zeromq").is_dir()


@pytest.mark.integration
@pytest.mark.parametrize(
    "program",
    [
        [sys.executable, "-W", "error", "subscribe_plain.py"],
        [sys.executable, "-W", "error", "subscribe_client.py"],
        pytest.param(
            ["node", "subscribe.mjs"], marks=pytest.mark.skipif(not HAS_NODE, reason=NO_NODE)
        ),
    ],
    ids=lambda program: program[-1],
)
def test_an_example_prints_estimates(program: list[str]) -> None:
    publisher = ZmqPublisher(
        "tcp://127.0.0.1:*", session=session("main"), session_id="s", clock=None
    )
    with subprocess.Popen(
        [*program, publisher.address, "3"],
        cwd=EXAMPLES,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        t_end = 0.0
        while process.poll() is None:
            t_end += 0.25
            timing = Timing(t_closed=t_end, t_decoded=t_end)
            publisher.on_estimate(estimate("main", t_end), timing)
            publisher.serve()
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        out, err = process.communicate()
    publisher.close()
    assert (process.returncode, err) == (0, "")
    valence = estimate("main", 0.0).targets["valence"]
    assert out.count(f"main valence {valence.expected} +- {valence.spread}\n") == 3
