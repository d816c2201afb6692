"""All that an event says, as bytes that can be compared and digested."""

from rtaffect.core.streams import Chunk, Event


def content(event: Event) -> bytes:
    """Return the modality, time, type, samples and stamps of an event."""
    if not isinstance(event, Chunk):
        return repr(event).encode()
    samples = event.data.tolist() if event.data.dtype == object else event.data.tobytes()
    told = (event.modality, event.t_received, event.data.dtype.str, event.data.shape)
    return repr((told, samples, event.stamps_s.tobytes())).encode()
