"""What a stream must say of itself to be chosen, be it on the network or in a file."""

from collections.abc import Iterable, Mapping
from typing import Protocol

ABOUT_GROUPS = frozenset({"acquisition", "atlas", "processing"})
"""Parts of a description that are kept whole: how it was acquired and what was done to it.

Others may tell who was measured, which is nobody's business here.
"""

MAX_ABOUT = 64
"""A description has no more keys than this, ..."""

MAX_ABOUT_TEXT = 1024
"""... none of a longer text, ..."""

MAX_ABOUT_DEPTH = 4
"""... and no group of groups below this."""


def kept_about(leaves: Iterable[tuple[tuple[str, ...], str]]) -> dict[str, str]:
    """Return what is kept of a description, by dotted key.

    Parameters
    ----------
    leaves : iterable of (tuple of str, str)
        Names of the elements from the description's root to each text, and that text.
    """
    kept: dict[str, str] = {}
    for path, text in leaves:
        if len(kept) == MAX_ABOUT:
            break
        if len(path) > 1 and path[0] in ABOUT_GROUPS and 0 < len(text) <= MAX_ABOUT_TEXT:
            kept.setdefault(".".join(path), text)
    return kept


class OfferedStream(Protocol):
    """A stream before anybody chose it; ``str()`` of it is one line for people."""

    @property
    def name(self) -> str:
        """Name."""

    @property
    def stype(self) -> str:
        """Content type in LSL's words."""

    @property
    def source_id(self) -> str:
        """The sender's identity, "" when it has none."""

    @property
    def n_channels(self) -> int:
        """The number of channels."""

    @property
    def sfreq(self) -> float:
        """Nominal rate in Hz; 0.0 means irregular."""

    @property
    def dtype(self) -> str:
        """NumPy's word for the samples, or ``"text"``."""

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Labels as described; empty when nothing is."""

    @property
    def units(self) -> tuple[str, ...]:
        """Units as described, one a described channel, "" where undeclared."""

    @property
    def simulated(self) -> bool:
        """Whether the sender declares that nobody was measured."""

    @property
    def about(self) -> Mapping[str, str]:
        """What else its sender declares, by dotted key, see `kept_about`."""

    @property
    def selectable(self) -> bool:
        """Whether a session may listen to it."""
