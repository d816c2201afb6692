"""``wire.py`` and ``client.py`` copied side by side work where rtaffect is not installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rtaffect
from rtaffect.publish.zmq import ZmqPublisher
from tests.wire_cases import session

PROGRAM = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import client, wire
with client.Subscriber(sys.argv[3], topics=["session/"]) as subscriber:
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    message = subscriber.receive(timeout_s=30)
assert isinstance(message, wire.SessionMessage)
try:
    wire.decode([])
except wire.WireError:
    pass
sys.stdout.write(message.session_id)
"""


def numpy_and_pyzmq_alone(folder: Path) -> Path:
    """Return a folder in which nothing else that is installed can be imported."""
    folder.mkdir()
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "zmq", "pyzmq.libs"):
        if (installed / name).exists():
            (folder / name).symlink_to(installed / name)
    return folder


@pytest.mark.integration
def test_the_client_works_without_rtaffect(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    for name in ("wire.py", "client.py"):
        shutil.copy(Path(rtaffect.__file__).with_name(name), app)
    site = numpy_and_pyzmq_alone(tmp_path / "site")
    publisher = ZmqPublisher("tcp://127.0.0.1:*", session=session(), session_id="alone", clock=None)
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", PROGRAM, app, site]
    with subprocess.Popen(
        [*command, publisher.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            publisher.serve()
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        out, err = process.communicate()
    publisher.close()
    assert err == ""
    assert out == "ready\nalone"
