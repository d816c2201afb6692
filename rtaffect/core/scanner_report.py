"""What the scanner process says of itself and of its runs, as the runtime hears it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from rtaffect.core.health import StageLatency
from rtaffect.core.streams import Chunk

REPORT_MODALITY = "roi_meta"
REPORT_STYPE = "fMRI-meta"
"""The session's key, and LSL's type, of the stream beside the ROI frames (docs/roi-stream.md)."""

MAX_TEXT = 1 << 16
MAX_ITEMS = 32
_WORD = re.compile(r"[a-z_]{1,40}")


class ScannerReport:
    """Keeps the newest report; what is no report is left alone, whoever sent it."""

    def __init__(self) -> None:
        self._stages: dict[str, StageLatency] = {}
        self._dropped: dict[str, int] = {}

    @property
    def stages(self) -> Mapping[str, StageLatency]:
        """Latencies of its stages, as ``"scanner.means"``."""
        return self._stages

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know."""
        counts = ", ".join(f"{n} {why}" for why, n in sorted(self._dropped.items()))
        return (f"scanner: volumes dropped: {counts}",) if counts else ()

    def push(self, chunk: Chunk) -> None:
        """Take what the stream beside the ROI frames brought."""
        for text in _texts(chunk, '"health"'):
            self._read(text)

    def _read(self, text: str) -> None:
        message = _parsed(text)
        if message.get("kind") == "health":
            self._stages = {
                f"scanner.{name}": latency
                for name, one in _items(message.get("stages"))
                if (latency := _latency(one)) is not None
            }
            self._dropped = {
                why: n for why, n in _items(message.get("dropped")) if isinstance(n, int) and n > 0
            }


def tells_of_a_run(chunk: Chunk) -> bool:
    """Return whether what the stream beside the ROI frames brought says that a run began."""
    return any(_parsed(text).get("kind") == "run_start" for text in _texts(chunk, '"run_start"'))


def _texts(chunk: Chunk, word: str) -> list[str]:
    """Return the texts of a chunk that may be messages with a word in them."""
    return [
        text
        for text in chunk.data.reshape(-1)
        if isinstance(text, str) and len(text) <= MAX_TEXT and word in text
    ]


def _parsed(text: str) -> dict[str, Any]:
    """Return a message; an empty one where it is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _items(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [(key, item) for key, item in value.items() if _WORD.fullmatch(key)][:MAX_ITEMS]


def _latency(value: Any) -> StageLatency | None:
    if not isinstance(value, dict) or not isinstance(value.get("n"), int):
        return None
    times = [value.get(key) for key in ("p50_ms", "p95_ms", "p99_ms")]
    p50, p95, p99 = (float(t) if isinstance(t, int | float) else math.nan for t in times)
    return StageLatency(p50_ms=p50, p95_ms=p95, p99_ms=p99, n=value["n"])
