import json
from pathlib import Path

import pytest

from rtaffect.bundle import (
    MAX_MANIFEST_BYTES,
    explain_mismatch,
    find_bundle,
    load_bundle,
    shipped_bundles,
    write_bundle,
)
from rtaffect.core.errors import BundleError
from rtaffect.core.streams import StreamInfo
from rtaffect.manifest import Manifest
from tests.tiny_bundle import tiny_manifest, write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path).path


def _edit(folder: Path, *keys: str, value: object) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    part = manifest
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    file.write_text(json.dumps(manifest))


def test_what_was_written_is_what_is_read(folder: Path) -> None:
    manifest, files = tiny_manifest()
    bundle = load_bundle(folder)
    assert bundle.manifest == manifest
    assert bundle.read_graph(manifest.graphs.head) == files["head.onnx"]
    assert len(bundle.digest) == 64


def test_writing_over_a_bundle_leaves_nothing_of_the_old_one(folder: Path) -> None:
    (folder / "stray.txt").write_text("old")
    manifest, files = tiny_manifest(t_max=2)
    assert write_bundle(folder, manifest, files).manifest.slices.t_max == 2
    assert sorted(p.name for p in folder.iterdir()) == [
        "encoder.onnx",
        "head.onnx",
        "manifest.json",
    ]
    assert [p.name for p in folder.parent.iterdir()] == ["tiny"]


def test_a_bundle_that_does_not_fit_its_manifest_is_not_written(folder: Path) -> None:
    manifest, files = tiny_manifest()
    before = load_bundle(folder).digest
    with pytest.raises(BundleError, match="sha256"):
        write_bundle(folder, manifest, {**files, "head.onnx": b"other"})
    assert load_bundle(folder).digest == before
    assert [p.name for p in folder.parent.iterdir()] == ["tiny"]


def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    with pytest.raises(BundleError, match="is no bundle"):
        write_bundle(tmp_path / "thesis", *tiny_manifest())
    assert (tmp_path / "thesis").is_dir()


def test_one_altered_byte_is_refused(folder: Path) -> None:
    file = folder / "head.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"head\.onnx must have the sha256"):
        load_bundle(folder)


def test_a_file_that_changes_after_loading_is_refused_when_read(folder: Path) -> None:
    bundle = load_bundle(folder)
    (folder / "head.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match="sha256"):
        bundle.read_graph(bundle.manifest.graphs.head)


@pytest.mark.parametrize(
    "name",
    [
        "../head.onnx",
        "/etc/passwd",
        "sub/head.onnx",
        "..\\head.onnx",
        "head.onnx/..",
        "",
        ".onnx",
        "C:head.onnx",
    ],
)
def test_a_graph_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    _edit(folder, "graphs", "head", "file", value=name)
    with pytest.raises(BundleError, match=r"graphs\.head\.file"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["head.onnx", "manifest.json"])
def test_a_link_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(BundleError, match="a link"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["head.onnx", "encoder.onnx", "manifest.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}.*missing"):
        load_bundle(folder)


def test_an_oversize_manifest_is_refused(folder: Path) -> None:
    with (folder / "manifest.json").open("ab") as file:
        file.write(b" " * MAX_MANIFEST_BYTES)
    with pytest.raises(BundleError, match="larger than"):
        load_bundle(folder)


def test_an_oversize_graph_is_refused_without_reading_it_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtaffect.bundle.MAX_GRAPH_BYTES", 64)
    with pytest.raises(BundleError, match=r"encoder\.onnx must not be larger than 64 bytes"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("keys", "value", "complaint"),
    [
        (("rest",), None, r"both or neither"),
        (("graphs", "baseline"), None, r"both or neither"),
        (("graphs", "baseline", "file"), "../x.onnx", r"graphs\.baseline\.file"),
        (("graphs", "baseline", "inputs", "eeg", "shape"), [1, 3, 32], r"any number of windows"),
        (("graphs", "baseline", "inputs"), {}, r"any number of windows"),
        (("graphs", "baseline", "inputs"), {"rest": {"shape": [None, 3]}}, r"any number"),
        (("graphs", "baseline", "outputs", "rest", "shape"), [4], r"rest of \(3,\)"),
        (("rest", "shape"), [4], r"inputs\.rest must have shape \(1, 4\)"),
        (("rest", "shape"), [-3], r"lengths from 1"),
        (("rest", "required"), False, r"has_rest"),
        (("rest", "min_windows"), 0, r"min_windows"),
    ],
)
def test_what_does_not_fit_the_baseline_is_named(
    tmp_path: Path, keys: tuple[str, ...], value: object, complaint: str
) -> None:
    folder = write_tiny_bundle(tmp_path, rest="required").path
    _edit(folder, *keys, value=value)
    with pytest.raises(BundleError, match=complaint):
        load_bundle(folder)


def test_the_baselines_graph_is_verified_as_the_others_are(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path, rest="optional").path
    (folder / "baseline.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"baseline\.onnx must have the sha256"):
        load_bundle(folder)


def test_a_manifest_from_before_baselines_and_banks_is_still_read(folder: Path) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["rest"], manifest["graphs"]["baseline"]
    for key in ("data", "protocol", "leaky", "checkpoint"):
        del manifest["training"][key]
    for key in ("bands_hz", "bands_order"):
        del manifest["windows"]["modalities"]["eeg"][key]
    file.write_text(json.dumps(manifest))
    assert load_bundle(folder).manifest == tiny_manifest()[0]


@pytest.mark.parametrize(
    ("keys", "value", "complaint"),
    [
        (("schema_version",), 2, "schema_version"),
        (("surprise",), 1, "surprise"),
        (("windows", "hop"), 0.5, r"windows\.hop"),
        (("windows", "modalities", "eeg", "highpas_hz"), 0.5, r"highpas_hz"),
        (("windows", "modalities", "eeg", "quality", "loud"), 1, r"quality\.loud"),
        (("windows", "modalities", "eeg", "kind"), "volume", r"kind must be|modalities\.eeg"),
        (("windows", "modalities", "eeg", "sfreq"), "128", r"sfreq"),
        (("windows", "modalities", "eeg", "sfreq"), 0, r"sfreq"),
        (("windows", "modalities", "eeg", "ch_names"), ["Fz", "Fz"], r"ch_names"),
        (("windows", "modalities", "eeg", "optional"), True, r"not optional"),
        (("windows", "hop_s"), 0.7, r"whole number of hops"),
        (("windows", "window_s"), 3e7, r"samples to keep"),
        (("windows", "stale_s"), 1e12, r"samples to keep"),
        (("windows", "stale_s"), 0, r"stale_s above 0"),
        (("windows", "max_wait_s"), -5, r"max_wait_s must be from 0 to 300"),
        (("windows", "modalities", "eeg", "sfreq"), 1.28e8, r"samples to keep"),
        (("windows", "modalities", "eeg", "resample_half_s"), 1e7, r"resample_half_s"),
        (("windows", "modalities", "eeg", "bands_hz"), {"a": [8, 4]}, r"bands_hz must hold edges"),
        (("windows", "modalities", "eeg", "bands_hz"), {"a": [4, 16]}, r"bands_hz must hold edges"),
        (
            ("windows", "modalities", "eeg", "bands_hz"),
            {"alpha": [8, 12], "theta": [4, 8]},
            r"rising order",
        ),
        (("windows", "modalities", "eeg", "bands_order"), 0, r"bands_order"),
        (("slices", "shape"), [100_000, 100_000], r"slices must have"),
        (("slices", "shape"), [-1, 3], r"slices must have"),
        (("windows", "hop_s"), 0, r"whole number of hops"),
        (("slices", "t_min"), 9, r"t_min"),
        (("slices", "t_max"), 10**9, r"t_max"),
        (("simulated",), "no", r"simulated"),
        (("name",), "../x", r"name"),
        (("targets",), {}, r"targets"),
        (("training", "checkpoint"), "best_test", r"leaky must be true"),
        (("targets", "valence", "prior"), [0.5, 0.6], r"prior"),
        (("targets", "valence", "edges"), [-1, 1, 0], r"edges"),
        (("targets", "valence", "temperature"), 0, r"temperature"),
        (("graphs", "encoder", "inputs", "eeg", "shape"), [1, 4, 32], r"shape \(1, 3, 32\)"),
        (("graphs", "encoder", "inputs", "face_mask", "shape"), [1, 31], r"shape \(1, 32\)"),
        (("graphs", "head", "inputs"), {}, r"slices"),
        (("graphs", "head", "outputs"), {}, r"valence"),
        (("graphs", "encoder", "inputs"), {"eeg": {"shape": [1]}, "x": {"shape": [1]}}, r"masks"),
    ],
)
def test_what_breaks_the_schema_is_named(
    folder: Path, keys: tuple[str, ...], value: object, complaint: str
) -> None:
    _edit(folder, *keys, value=value)
    with pytest.raises(BundleError, match=complaint) as caught:
        load_bundle(folder)
    assert "FrameSpec" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": NaN}', "\x00\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match="must follow the manifest's schema"):
        load_bundle(folder)


def test_deep_nesting_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(BundleError):
        load_bundle(folder)


def test_every_problem_of_a_manifest_is_listed_at_once(folder: Path) -> None:
    _edit(folder, "name", value="UPPER")
    _edit(folder, "slices", "t_min", value=0)
    _edit(folder, "surprise", value=1)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert all(word in str(caught.value) for word in ("name:", "slices.t_min:", "surprise:"))


def test_a_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(BundleError, match="not a folder"):
        load_bundle(tmp_path / "x")


def test_a_bundle_is_found_by_path_and_by_shipped_name(folder: Path) -> None:
    assert find_bundle(folder) == folder
    for name, path in shipped_bundles().items():
        assert find_bundle(name) == path


def test_an_unknown_name_lists_what_ships() -> None:
    with pytest.raises(BundleError) as caught:
        find_bundle("prior-dfcn-egg")
    assert all(name in str(caught.value) for name in shipped_bundles())


def test_a_manifest_survives_the_round_trip_exactly() -> None:
    manifest, _ = tiny_manifest()
    assert Manifest.model_validate_json(manifest.model_dump_json(), strict=True) == manifest


def _eeg(
    *,
    ch_names: tuple[str, ...] = ("EEG FZ", "Cz", "pz", "TRIGGER"),
    sfreq: float = 512.0,
    units: tuple[str, ...] = ("uV", "uV", "uV", ""),
    is_text: bool = False,
) -> StreamInfo:
    return StreamInfo(
        modality="eeg",
        name="amp",
        stype="EEG",
        ch_names=ch_names,
        sfreq=sfreq,
        units=units,
        is_text=is_text,
    )


def test_streams_that_fit_have_no_difference() -> None:
    manifest, _ = tiny_manifest()
    assert explain_mismatch(manifest, {"eeg": _eeg()}) == []


def test_every_difference_is_listed_at_once() -> None:
    manifest, _ = tiny_manifest()
    face = StreamInfo(modality="face", name="cam", stype="Face", ch_names=("AU06_r",), sfreq=0.0)
    eeg = _eeg(ch_names=("Fz", "Oz"), sfreq=16.0, units=("", "uV"))
    problems = explain_mismatch(manifest, {"eeg": eeg, "face": face})
    assert [problem.split(":")[0] for problem in problems] == ["eeg", "eeg", "eeg", "face"]
    for problem, word in zip(problems, ("Cz, Pz", "no unit", "32 Hz", "AU12_r"), strict=True):
        assert word in problem


def test_a_missing_stream_is_a_difference_only_where_the_model_needs_it() -> None:
    manifest, _ = tiny_manifest()
    problems = explain_mismatch(manifest, {})
    assert len(problems) == 1
    assert problems[0].startswith("eeg: the bundle needs this stream")


def test_a_stream_of_text_is_no_signal() -> None:
    manifest, _ = tiny_manifest()
    assert "text" in explain_mismatch(manifest, {"eeg": _eeg(is_text=True)})[0]
