"""Estimates into a file, one row each: Parquet, CSV or JSON lines."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from rtaffect.bundle import Bundle
from rtaffect.core.errors import PublishError
from rtaffect.core.estimate import Estimate, as_jsonable
from rtaffect.core.fused import FUSED_NAMES, FusedInfo
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Event

ROWS_PER_BATCH = 1024
FORMATS = (".parquet", ".csv", ".jsonl")


class EstimateFile:
    """Writes every estimate; a `rtaffect.core.sinks.Sink`.

    JSON lines hold estimates as they are on the wire, and their timing. The tables have one column
    a number:
    ``<target>_expected``, ``<target>_spread``, ``<target>_p_<class>`` (empty without an answer),
    ``<modality>_coverage``, ``<decoder>_weight`` of the members of fusion, and ``flags`` as
    ``eeg:gap face:late``.

    Parameters
    ----------
    path : Path
        File to write; its suffix says the format. It must not exist.
    bundles : mapping of str to Bundle
        By name of the decoder; their targets make the columns.
    fused : sequence of FusedInfo
        Outputs of fusion, whose estimates are kept, too.

    Raises
    ------
    PublishError
        The file exists, cannot be written, or has another suffix.
    """

    def __init__(
        self, path: Path, bundles: Mapping[str, Bundle], fused: Sequence[FusedInfo] = ()
    ) -> None:
        require_new(path)
        self.path = path
        self._columns = _columns(bundles, fused)
        self._rows: list[dict[str, Any]] = []
        self._parquet: Any = None
        self._text: TextIO | None = None
        with self._disk():
            if path.suffix == ".parquet":
                self._parquet = _open_parquet(path, self._columns)
            else:
                self._text = path.open("x", encoding="utf-8", newline="")
        if self._text is not None and path.suffix == ".csv":
            csv.writer(self._text).writerow(self._columns)

    def on_event(self, event: Event) -> None:
        """Events are no estimates."""

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Write a row."""
        if self.path.suffix == ".jsonl":
            assert self._text is not None
            line = {**as_jsonable(estimate), **asdict(timing)}
            with self._disk():
                self._text.write(json.dumps(line, separators=(",", ":")) + "\n")
            return
        self._rows.append(_row(estimate))
        if len(self._rows) >= ROWS_PER_BATCH:
            with self._disk():
                self._flush()

    def on_health(self, health: Health) -> None:
        """Health is not kept here."""

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002  the protocol's signature
        """Never."""
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        """Matrices are not kept here."""

    def close(self) -> None:
        """Write what is left."""
        with self._disk():
            try:
                self._flush()
            finally:
                if self._parquet is not None:
                    self._parquet.close()
                if self._text is not None:
                    self._text.close()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if self._parquet is not None and rows:
            import pyarrow as pa

            columns = {name: [row.get(name) for row in rows] for name in self._columns}
            self._parquet.write_table(pa.table(columns, schema=self._parquet.schema))
        elif self._text is not None and self.path.suffix == ".csv":
            writer = csv.DictWriter(self._text, self._columns, restval="")
            writer.writerows(rows)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Turn what the disk says into an error of ours."""
        try:
            yield
        except OSError as error:
            msg = (
                f"{self.path} cannot be written ({error.strerror or error}): its folder must "
                "exist, allow it and have room."
            )
            raise PublishError(msg) from error


def require_new(path: Path) -> None:
    """Check that estimates can be written under this name, before anything is computed.

    Parameters
    ----------
    path : Path
        File to write.

    Raises
    ------
    PublishError
        The file exists, or its suffix is of no format that there is.
    """
    if path.suffix not in FORMATS:
        msg = f"Estimates are written as {', '.join(FORMATS)}, got {path.name!r}."
        raise PublishError(msg)
    if path.exists():
        msg = f"{path} exists and is not overwritten: move it away or choose another name."
        raise PublishError(msg)


def _columns(bundles: Mapping[str, Bundle], fused: Sequence[FusedInfo]) -> dict[str, type]:
    columns: dict[str, type] = {"decoder": str, "t_start": float, "t_end": float, "lag_s": float}
    scales = [
        (name, target.classes, target.edges)
        for bundle in bundles.values()
        for name, target in bundle.manifest.targets.items()
    ]
    scales += [(n, target.classes, target.edges) for f in fused for n, target in f.targets.items()]
    for name, classes, edges in scales:
        if edges:
            columns |= {f"{name}_expected": float, f"{name}_spread": float}
        columns |= {f"{name}_p_{word}": float for word in classes}
    columns |= {"confidence": float, "n_slices": int}
    for bundle in bundles.values():
        columns |= {
            f"{modality}_coverage": float for modality in bundle.manifest.windows.modalities
        }
    columns |= {f"{member}_weight": float for each in fused for member in each.members}
    return columns | {"flags": str, "bundle_digest": str}


def _row(estimate: Estimate) -> dict[str, Any]:
    row: dict[str, Any] = {
        "decoder": estimate.decoder,
        "t_start": estimate.t_start,
        "t_end": estimate.t_end,
        "lag_s": estimate.lag_s,
        "confidence": estimate.confidence,
        "n_slices": estimate.n_slices,
        "flags": " ".join(f"{modality}:{flag}" for modality, flag in estimate.flags),
        "bundle_digest": estimate.bundle_digest,
    }
    for name, target in estimate.targets.items():
        if target.edges:
            row |= {f"{name}_expected": target.expected, f"{name}_spread": target.spread}
        for word, share in zip(target.classes, target.probabilities, strict=True):
            row[f"{name}_p_{word}"] = share
    if estimate.decoder in FUSED_NAMES:
        row |= {f"{member}_weight": w for member, w in estimate.contributions.items()}
    return row | {f"{modality}_coverage": c for modality, c in estimate.coverage.items()}


def _open_parquet(path: Path, columns: Mapping[str, type]) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    return parquet.ParquetWriter(path, schema)
