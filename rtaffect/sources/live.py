"""What all live sources share: streams by modality, and one queue for everything that arrives."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

from rtaffect.core.streams import Event, StreamInfo
from rtaffect.sources.event_queue import EventQueue

logger = logging.getLogger(__name__)


class LiveSource(ABC):
    """Streams that threads receive, see `rtaffect.core.streams.Source`.

    Parameters
    ----------
    queue : EventQueue
        Where their events go.
    """

    def __init__(self, queue: EventQueue) -> None:
        self._queue = queue
        self._infos: dict[str, StreamInfo] = {}
        self._notes: list[str] = []
        self._is_open = False

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality; one that is not required may be absent."""
        return MappingProxyType(self._infos)

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever runs the session should know of its streams."""
        return tuple(self._notes)

    @property
    def n_waiting(self) -> int:
        """How many events nobody has read yet."""
        return self._queue.n_waiting

    @property
    def queue(self) -> EventQueue:
        """Where events go; another live stream of the session may put its own there."""
        return self._queue

    def open(self) -> Self:
        """Find the streams and begin to receive; return this source.

        Raises
        ------
        StreamError
            If a stream that is needed is missing, or cannot be used.
        """
        self._begin()
        self._is_open = True
        return self

    def events(self) -> Iterator[Event]:
        """Yield everything that arrives, in order of arrival, until `close`."""
        return self._queue.events()

    def close(self) -> None:
        """End `events` and disconnect."""
        self._queue.close()

    def __enter__(self) -> Self:
        return self if self._is_open else self.open()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _begin(self) -> None:
        """Find the streams and run the threads that receive them."""

    def _note(self, text: str) -> None:
        logger.info("%s", text)
        self._notes.append(text)
