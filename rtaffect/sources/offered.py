"""What a stream must say of itself to be chosen, be it on the network or in a file."""

from typing import Protocol


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
    def selectable(self) -> bool:
        """Whether a session may listen to it."""
