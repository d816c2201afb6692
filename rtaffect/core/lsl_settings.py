"""What we tell LSL's library before its first use; the lab's own settings stay in force."""

import os
from collections.abc import Mapping
from pathlib import Path

VERBOSE = "RTAFFECT_LSL_LOG"
"""Environment variable that, when set, leaves LSL's own log lines on the screen."""

_QUIET = "[log]\nlevel = -3\n"  # fatal errors only; what matters reaches us as error codes
_PROBES = "[tuning]\nTimeProbeInterval = 0.032\n"
# A clock offset takes eight probes. At LSL's 64 ms between them the first one takes 0.64 s, too
# long for a stream that has to be back within a second; at 32 ms it takes 0.38 s.


def lsl_settings(environ: Mapping[str, str] = os.environ) -> str:
    """Return settings for ``pylsl.set_config_content``: the lab's, then ours where it has none.

    Settings given as text make LSL ignore its files, hence the lab's is read here, from the first
    place of those that LSL looks at: ``$LSLAPICFG``, the working directory, the home, ``/etc``.

    Parameters
    ----------
    environ : mapping of str to str
        Environment variables.

    Returns
    -------
    str
        Text in the format of ``lsl_api.cfg``.
    """
    text = next((t for path in _places(environ) if (t := _read(path)) is not None), "")
    keys = {line.split("=")[0].strip() for line in text.splitlines() if "=" in line}
    if VERBOSE not in environ and "level" not in keys:
        text += "\n" + _QUIET
    if "TimeProbeInterval" not in keys:
        text += "\n" + _PROBES
    return text


def _places(environ: Mapping[str, str]) -> tuple[Path, ...]:
    return (
        *((Path(environ["LSLAPICFG"]),) if environ.get("LSLAPICFG") else ()),
        Path("lsl_api.cfg"),
        Path("~/lsl_api/lsl_api.cfg").expanduser(),
        Path("/etc/lsl_api/lsl_api.cfg"),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
