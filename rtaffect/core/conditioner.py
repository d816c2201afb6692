"""What stands before every chain: events in, the same events out, some with other samples."""

from typing import Protocol

from rtaffect.core.streams import Event


class Conditioner(Protocol):
    """Changes samples of events, one event at a time and from the past alone."""

    def push(self, event: Event) -> Event:
        """Return the event as the chains are to see it: its kind, stamps and arrival are kept."""

    def notes(self) -> tuple[str, ...]:
        """Return what is wrong right now, in words."""
