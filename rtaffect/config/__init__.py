"""A session file (YAML) becomes validated settings, and settings become a file that teaches."""

from rtaffect.config.reading import load_session, read_settings
from rtaffect.config.session import Session
from rtaffect.config.writing import dump_session

__all__ = ["Session", "dump_session", "load_session", "read_settings"]
