"""What can go wrong in the trainer; the root is `rtaffect.core.errors.RtaffectError`."""

from rtaffect.core.errors import RtaffectError


class DataError(RtaffectError):
    """A data set's files are not what they must be."""


class LeakError(RtaffectError):
    """Something of the test set would reach training or selection."""


class RunError(RtaffectError):
    """A run cannot be carried out, continued or read."""
