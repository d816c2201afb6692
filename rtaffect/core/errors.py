"""Every error that rtaffect raises on purpose.

::

    RtaffectError
    ├── ConfigError       a session file or a recipe is not valid
    ├── StreamError       a live stream is missing, ambiguous, or contradicts its description
    ├── RecordingError    a file cannot be read as a recording, or lacks what is needed
    ├── MontageError      the channels at hand are not those that the bundle wants
    ├── UnitError         a unit is undeclared, unknown, or cannot be converted
    ├── BundleError       a model folder is incomplete, altered, hostile or of another schema
    ├── BaselineError     a person's baseline is damaged, of another model, or cannot be taken
    ├── InferenceError    the model runtime refused a graph or an input
    ├── WireError         a message, or what a subscriber connects with, is not valid
    ├── ScannerError      what the scanner's side sent, or the way in itself, is not usable
    ├── FaceError         the camera, or the networks that find a face, are not to be had
    └── PublishError      an address cannot be bound, or may not be without keys

A message says what must hold, what was got, and what to do. Foreign exceptions are mapped where the
library is used, in one place each.
"""


class RtaffectError(Exception):
    """Root of every error that rtaffect raises on purpose."""


class ConfigError(RtaffectError):
    """A session file or a training recipe is not valid."""


class StreamError(RtaffectError):
    """A live stream is missing, ambiguous, or contradicts its own description."""


class RecordingError(RtaffectError):
    """A file cannot be read as a recording, or lacks what is needed."""


class MontageError(RtaffectError):
    """The channels at hand are not those that the bundle wants."""


class UnitError(RtaffectError):
    """A unit is undeclared, unknown, or cannot be converted."""


class BundleError(RtaffectError):
    """A model folder is incomplete, altered, hostile or of another schema."""


class BaselineError(RtaffectError):
    """A person's baseline is damaged, belongs to another model, or cannot be taken."""


class InferenceError(RtaffectError):
    """The model runtime refused a graph or an input."""


class WireError(RtaffectError):
    """A message does not follow the wire's schema, or an address or a key is not valid."""


class ScannerError(RtaffectError):
    """What a scanner's software sent is not usable, or the way in is broken."""


class FaceError(RtaffectError):
    """A camera cannot be read, or what finds a face in its pictures is not to be had."""


class PublishError(RtaffectError):
    """An address cannot be bound, or may not be bound without keys."""
