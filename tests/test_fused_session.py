"""Fused estimates through the engine and every way out: messages, tables, a recording."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pyxdf
from kept import Kept
from tiny_bundle import write_tiny_bundle
from window_cases import INFOS, ListSource, session

from rtaffect import wire
from rtaffect.bundle import Bundle, load_bundle, shipped_bundles
from rtaffect.cli.view import one_line
from rtaffect.config.fusion import FusionSettings
from rtaffect.core.estimate import Estimate
from rtaffect.core.fused import ALIGNED, LATEST
from rtaffect.core.sinks import Sink
from rtaffect.core.streams import Source
from rtaffect.core.window import Flag
from rtaffect.decode.decoder import Decoder
from rtaffect.decode.fusion import Fusion
from rtaffect.decode.membership import membership_of
from rtaffect.engine import Engine, Summary
from rtaffect.publish.estimate_file import EstimateFile
from rtaffect.publish.messages import estimate_body, session_body
from rtaffect.publish.recorder import Recorder
from rtaffect.simulate.bold import BoldSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.sample_faults import Drop
from rtaffect.simulate.source import SimulatedSource
from rtaffect.sources.recording import open_recording

SETTINGS = FusionSettings(enabled=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "short": write_tiny_bundle(folder / "short"),
        "long": write_tiny_bundle(folder / "long", window_s=2.0, t_max=1),
    }


def fusion(bundles: dict[str, Bundle]) -> Fusion:
    membership = membership_of(bundles, SETTINGS)
    assert membership is not None
    return Fusion(membership, SETTINGS)


def run(source: Source, bundles: dict[str, Bundle], *sinks: Sink) -> Summary:
    decoders = [Decoder(one, name=name, provider="cpu") for name, one in bundles.items()]
    return Engine(source, decoders, sinks, fusion=fusion(bundles)).run()


def test_sinks_see_what_is_fused_right_after_what_called_for_it(bundles: dict[str, Bundle]) -> None:
    kept = Kept()
    summary = run(ListSource(session(12.0, lost_s=[(6.0, 6.5)])), bundles, kept)
    own = [estimate for estimate in kept.estimates if estimate.decoder in bundles]
    fused = [estimate for estimate in kept.estimates if estimate.decoder == LATEST]
    assert kept.estimates[::2] == own
    assert kept.estimates[1::2] == fused
    again = fusion(bundles)
    assert [e.canonical() for one in own for e in again.push(one)] == [e.canonical() for e in fused]
    assert summary.n_windows == len(own)  # a fused estimate is of no window of its own
    assert summary.stages["fuse"].n == len(own)
    assert any(e.targets for e in fused)
    assert any(not e.targets for e in fused)
    for estimate, timing in zip(kept.estimates, kept.timings, strict=True):
        assert timing.t_closed >= estimate.t_end


def test_a_replay_of_the_recording_fuses_the_same_bit_for_bit(
    tmp_path: Path, bundles: dict[str, Bundle]
) -> None:
    path, live, again = tmp_path / "session.xdf", Kept(), Kept()
    events = session(12.0, lost_s=[(6.0, 6.5)], face_until_s=8.0)
    run(ListSource(events), bundles, live, Recorder(path, INFOS, session={}))
    with open_recording([path]) as source:
        run(source, bundles, again)
    canonical = [estimate.canonical() for estimate in live.estimates]
    assert [estimate.canonical() for estimate in again.estimates] == canonical
    assert sum(estimate.decoder == LATEST for estimate in live.estimates) > 20
    streams, _ = pyxdf.load_xdf(path, select_streams=[{"type": "rtaffect-estimates"}])
    kept = [json.loads(text)["estimate"] for (text,) in streams[0]["time_series"]]
    assert [json.dumps(one, sort_keys=True, separators=(",", ":")).encode() for one in kept] == (
        canonical
    )


def test_a_replay_pairs_fmri_with_eeg_as_the_session_did(tmp_path: Path) -> None:
    """EEG on the grid and frames that come in a burst, then 2 s late; half a minute of them."""
    both = {
        "eeg": write_tiny_bundle(tmp_path),
        "fmri": load_bundle(shipped_bundles()["roi-simulated"]),
    }
    path, live, again = tmp_path / "session.xdf", Kept(), Kept()
    scanned = SimulatedSource(
        Participant(95_002), 40.0, sfreq=256.0, chunk_s=0.25, bold=BoldSettings(),
        faults=[Drop(modality="roi", start_s=26.0, duration_s=3.0)],
    )  # fmt: skip
    run(scanned, both, live, Recorder(path, scanned.infos, session={}))
    with open_recording([path]) as source:
        run(source, both, again)
    assert [e.canonical() for e in again.estimates] == [e.canonical() for e in live.estimates]
    aligned = [e for e in live.estimates if e.decoder == ALIGNED]
    frames = [e for e in live.estimates if e.decoder == "fmri"]
    assert [e.t_end for e in aligned] == [e.t_end for e in frames]
    paired = [e for e in aligned if e.targets and all(e.contributions.values())]
    assert len(paired) > 5
    assert {e.lag_s for e in paired} == {6.0}
    lost = [e for e in aligned if ("roi", Flag.LATE) in e.flags and e.t_end > 1020.0]
    assert lost
    assert all(e.contributions["eeg"] > 0 == e.contributions["fmri"] for e in lost)


def test_tables_have_columns_for_the_weights_of_members(
    tmp_path: Path, bundles: dict[str, Bundle]
) -> None:
    path, kept = tmp_path / "estimates.parquet", Kept()
    file = EstimateFile(path, bundles, fusion(bundles).membership.infos)
    run(ListSource(session(8.0)), bundles, kept, file)
    rows = pq.read_table(path).to_pylist()
    assert [row["decoder"] for row in rows] == [e.decoder for e in kept.estimates]
    for row, estimate in zip(rows, kept.estimates, strict=True):
        weights = {name: row[f"{name}_weight"] for name in bundles}
        is_fused = estimate.decoder == LATEST and estimate.targets
        assert weights == (estimate.contributions if is_fused else dict.fromkeys(bundles))
        if estimate.targets:
            p = estimate.targets["valence"].probabilities
            assert (row["valence_p_low"], row["valence_p_high"]) == p


def test_the_session_describes_what_is_fused(bundles: dict[str, Bundle]) -> None:
    membership = fusion(bundles).membership
    body = session_body(bundles, INFOS, membership.infos)
    assert f"estimate/{LATEST}/" in body.topics
    assert f"dfcn/{LATEST}/" not in body.topics
    info = body.decoders[LATEST]
    assert info.members == ("long", "short")
    assert body.decoders["short"].members == ()
    assert info.bundle_digest == membership.digest
    assert info.targets["valence"] == wire.TargetInfo(
        classes=("low", "high"), edges=(-1.0, 0.0, 1.0)
    )
    assert wire.build(wire.Session, json.loads(json.dumps(wire.plain(body)))) == body


def test_a_line_of_a_fused_estimate_says_its_weights(bundles: dict[str, Bundle]) -> None:
    kept = Kept()
    run(ListSource(session(8.0)), bundles, kept)
    *_, own = (e for e in kept.estimates if e.decoder == "short" and e.targets)
    *_, fused = (e for e in kept.estimates if e.decoder == LATEST and e.targets)

    def line(estimate: Estimate) -> str:
        return one_line(
            wire.EstimateMessage(
                schema=wire.SCHEMA, topic=f"estimate/{estimate.decoder}/", seq=0, session_id="s",
                t_published=0.0, t_closed=0.0, t_decoded=0.0, age_s=0.0, compute_s=0.0,
                estimate=estimate_body(estimate),
            )
        )  # fmt: skip

    assert line(fused).endswith(
        " ".join(["weights", *(f"{m} {w:.2f}" for m, w in fused.contributions.items())])
    )
    assert "weights" not in line(own)
