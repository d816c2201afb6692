"""A model on disk: a folder with ``manifest.json`` and ONNX graphs, verified before anything runs.

Nothing in a bundle is code: the manifest is JSON, the graphs are ONNX, and there is no pickle. The
digests guard against an altered or mixed-up file; who may be trusted is the reader's decision.
"""

import difflib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rtaffect.core.errors import BundleError, MontageError, UnitError
from rtaffect.core.spec import FrameSpec, ModalitySpec, RoiSpec, SignalSpec, VolumeSpec
from rtaffect.core.streams import StreamInfo
from rtaffect.manifest import SCHEMA_VERSION, Manifest, explain
from rtaffect.manifest_graphs import Graph
from rtaffect.signal.acquired import tr_mismatch
from rtaffect.signal.frame_readers import missing_regions
from rtaffect.signal.montage import canonical_name, plan_montage
from rtaffect.signal.signals import MIN_RATE
from rtaffect.signal.units import factors_to_microvolts

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_GRAPH_BYTES = 512 << 20

_SHIPPED = Path(__file__).parent / "bundles"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model folder.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : Manifest
        What it says of itself.
    digest : str
        sha256 of ``manifest.json``, hence of everything in it.
    """

    path: Path
    manifest: Manifest
    digest: str

    def read_graph(self, graph: Graph) -> bytes:
        """Return a graph's bytes, verified as they are read.

        Raises
        ------
        BundleError
            The file is missing, too large, a link, or not the one that the manifest names.
        """
        data = _read(self.path, graph.file, limit=MAX_GRAPH_BYTES)
        if (found := hashlib.sha256(data).hexdigest()) != graph.sha256:
            msg = (
                f"{self.path / graph.file} must have the sha256 {graph.sha256}, got {found}. The "
                "file was altered or belongs to another bundle: fetch or train the bundle again."
            )
            raise BundleError(msg)
        return data


def load_bundle(path: Path) -> Bundle:
    """Read and verify a model folder.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    Bundle
        With every file's digest checked.

    Raises
    ------
    BundleError
        Anything is missing, altered, hostile or of another schema version.
    """
    path = Path(path)
    if not path.is_dir():
        msg = f"A bundle is a folder with {MANIFEST_FILE} in it, got {path}, which is not a folder."
        raise BundleError(msg)
    data = _read(path, MANIFEST_FILE, limit=MAX_MANIFEST_BYTES)
    bundle = Bundle(path, _parse(path, data), hashlib.sha256(data).hexdigest())
    for graph in bundle.manifest.graphs.by_role.values():
        bundle.read_graph(graph)
    return bundle


def write_bundle(path: Path, manifest: Manifest, graphs: Mapping[str, bytes]) -> Bundle:
    """Write a model folder, all of it or nothing, over one of the same name if there is one.

    Parameters
    ----------
    path : Path
        The folder to make.
    manifest : Manifest
        Its description.
    graphs : mapping of str to bytes
        By file name.

    Returns
    -------
    Bundle
        What was written, read back and verified.

    Raises
    ------
    BundleError
        The files do not fit the manifest, or `path` is something that is no bundle.
    """
    path = Path(path)
    if path.exists() and not (path / MANIFEST_FILE).is_file():
        msg = f"{path} exists and is no bundle: choose another folder, or remove it first."
        raise BundleError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        new, old = scratch / "new", scratch / "old"
        new.mkdir()
        (new / MANIFEST_FILE).write_text(
            manifest.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
        for name, data in graphs.items():
            (new / name).write_bytes(data)
        load_bundle(new)
        if path.exists():
            path.rename(old)
        new.rename(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return load_bundle(path)


def shipped_bundles() -> dict[str, Path]:
    """Return the folders of the bundles that come with rtaffect, by name."""
    return {path.parent.name: path.parent for path in sorted(_SHIPPED.glob(f"*/{MANIFEST_FILE}"))}


def find_bundle(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the folder of a bundle that is given by the name of a shipped one or by its path.

    Raises
    ------
    BundleError
        There is neither.
    """
    shipped = shipped_bundles()
    name = os.fspath(name_or_path)
    if name in shipped:
        return shipped[name]
    if Path(name).is_dir():
        return Path(name)
    near = difflib.get_close_matches(name, shipped, n=1)
    msg = f"A bundle is a folder or one of the shipped {sorted(shipped)}, got {name!r}." + (
        f" Did you mean {near[0]!r}?" if near else ""
    )
    raise BundleError(msg)


def explain_mismatch(
    manifest: Manifest, infos: Mapping[str, StreamInfo], *, interpolate: Collection[str] = ()
) -> list[str]:
    """Return every difference between what a bundle wants and the streams at hand.

    Parameters
    ----------
    manifest : Manifest
        Of the bundle.
    infos : mapping of str to StreamInfo
        The streams, by modality, with what the session file says of them.
    interpolate : collection of str
        Modalities whose missing channels may be rebuilt, up to the bundle's limit.

    Returns
    -------
    list of str
        One line each, beginning with the modality; empty where the bundle fits.
    """
    problems = []
    for modality, spec in manifest.windows.modalities.items():
        if modality in infos:
            found = _differences(spec, infos[modality], interpolate=modality in interpolate)
            problems += [f"{modality}: {problem}" for problem in found]
        elif not spec.optional:
            at_hand = ", ".join(infos) or "none"
            problems.append(f"{modality}: the bundle needs this stream; at hand: {at_hand}.")
    return problems


def _differences(spec: ModalitySpec, info: StreamInfo, *, interpolate: bool) -> Iterator[str]:
    if info.is_text:
        yield f"stream {info.name!r} must carry numbers, it carries text."
        return
    match spec:
        case SignalSpec():
            yield from _signal_differences(spec, info, interpolate=interpolate)
        case FrameSpec():
            if missing := [name for name in spec.ch_names if name not in info.ch_names]:
                yield (
                    f"stream {info.name!r} lacks the features {', '.join(missing)}; "
                    f"it has {', '.join(info.ch_names)}."
                )
        case RoiSpec():
            yield from filter(None, (missing_regions(spec, info), tr_mismatch(spec, info)))
        case VolumeSpec():
            yield from filter(None, (tr_mismatch(spec, info),))


def _signal_differences(spec: SignalSpec, info: StreamInfo, *, interpolate: bool) -> Iterator[str]:
    try:
        plan_montage(
            info.ch_names,
            spec.ch_names,
            interpolate=interpolate,
            max_interpolated=spec.max_interpolated,
        )
    except MontageError as error:
        yield str(error)
    wanted = {canonical_name(name) for name in spec.ch_names}
    used = [i for i, label in enumerate(info.ch_names) if canonical_name(label) in wanted]
    try:
        factors_to_microvolts(info, used=used)
    except UnitError as error:
        yield str(error)
    if 0 < info.sfreq < MIN_RATE * spec.sfreq:
        yield (
            f"stream {info.name!r} must have at least {spec.sfreq:g} Hz, it has {info.sfreq:g} Hz. "
            "Set the amplifier to a higher rate."
        )


def _parse(path: Path, data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in explain(error))
        msg = (
            f"{path / MANIFEST_FILE} must follow the manifest's schema, version {SCHEMA_VERSION}:\n"
            f"{lines}\nA bundle of another version is made anew by the trainer of this version."
        )
        raise BundleError(msg) from error


def _read(folder: Path, name: str, *, limit: int) -> bytes:
    """Return the bytes of a plain file in the folder itself, no more than `limit`."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        found = "a link" if path.is_symlink() else "missing"
        msg = f"{path} must be a plain file inside the bundle, and is {found}."
        raise BundleError(msg)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise BundleError(msg) from error
    if len(data) > limit:
        msg = f"{path} must not be larger than {limit} bytes."
        raise BundleError(msg)
    return data
