"""torcheeg, whose own pins no longer install, in an environment of its own."""

import json
import sysconfig
from pathlib import Path

from shared import HERE, first_line, peer_python, started

REQUIREMENTS = ("--no-deps", "torcheeg==1.1.3", "spectrum", "PyWavelets", "einops")
"""Without its dependencies: it wants scipy<=1.10.1, which has no wheels for today's Python. They
are this environment's own, and so of the same versions as ours."""

STUB = '''"""Stands for torch_scatter, which torcheeg imports and nothing that is measured calls."""


def scatter_add(*args: object, **settings: object) -> None:
    raise NotImplementedError


scatter = scatter_mean = scatter_max = scatter_add
'''


def measured(what: str, data: Path, *, repeats: int) -> dict[str, float] | None:
    """Return what `peer_torcheeg.py` measured; None where torcheeg cannot be installed.

    Parameters
    ----------
    what : {"features", "epoch"}
        See there.
    data : Path
        Its input.
    repeats : int
        The best counts.
    """
    python = peer_python("torcheeg", REQUIREMENTS)
    if python is None:
        return None
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(python.parents[1])}))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "torch_scatter.py").write_text(STUB)
    arguments = (HERE / "peer_torcheeg.py", what, data, "--repeats", str(repeats))
    with started(*arguments, python=python) as process:
        took: dict[str, float] = json.loads(first_line(process))
    return took
