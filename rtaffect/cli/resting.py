"""The command that takes a baseline, as it is to be typed here and now."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle

FILE = "NAME.json"
"""What the file is called in commands that are only shown."""


@dataclass(frozen=True, slots=True)
class RestCommand:
    """What `rtaffect baseline` is to be given to find the streams that are decoded.

    Parameters
    ----------
    session : Path or None
        The session file in use.
    recording : tuple of Path
        The files that are replayed; none live.
    """

    session: Path | None = None
    recording: tuple[Path, ...] = ()

    def for_bundle(self, bundle: "Bundle") -> str:
        """Return the command for a model, with words that say what else must be put in."""
        from rtaffect.bundle import shipped_bundles

        shipped = {path: name for name, path in shipped_bundles().items()}
        given = [] if self.session is None else [str(self.session)]
        given += [word for file in self.recording for word in ("--recording", str(file))]
        given += ["--bundle", shipped.get(bundle.path) or str(bundle.path)]
        if not self.recording:
            return f"`{shlex.join(['rtaffect', 'baseline', *given, '--out', FILE])}`"
        given += ["--from", "START", "--to", "STOP", "--out", FILE]
        return (
            f"`{shlex.join(['rtaffect', 'baseline', *given])}`, the person resting from second "
            "START to STOP"
        )
