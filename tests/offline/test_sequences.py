import dataclasses

import numpy as np
from feature_tables import make_table
from hypothesis import given
from hypothesis import strategies as st

from offline.sequences import make_sequences

TABLE = make_table(n_subjects=2, n_trials=3, n_windows=5)


@given(
    rows=st.sets(st.integers(0, len(TABLE.trial) - 1), min_size=1),
    t_max=st.integers(1, 6),
    t_min=st.integers(1, 3),
)
def test_a_sequence_is_the_longest_unbroken_run_of_its_trial(
    rows: set[int], t_max: int, t_min: int
) -> None:
    t_max = max(t_min, t_max)
    found = make_sequences(TABLE, np.array(list(rows)), t_min=t_min, t_max=t_max)
    runs = {run[-1]: [row for row in run if row >= 0] for run in found.rows.tolist()}
    for newest in rows:
        expected = [newest]
        while (
            len(expected) < t_max
            and expected[0] - 1 in rows
            and TABLE.trial[expected[0] - 1] == TABLE.trial[newest]
        ):
            expected.insert(0, expected[0] - 1)
        assert runs.get(newest) == (expected if len(expected) >= t_min else None)
    assert found.n_slices.tolist() == [len(runs[run]) for run in runs]
    assert found.labels["valence"].tolist() == TABLE.classes["valence"][found.newest].tolist()


def test_neighbours_on_a_fine_hop_do_not_overlap() -> None:
    fine = dataclasses.replace(TABLE, step=2)
    found = make_sequences(fine, np.arange(5), t_min=1, t_max=3)
    assert found.rows.tolist() == [[-1, -1, 0], [-1, -1, 1], [-1, 0, 2], [-1, 1, 3], [0, 2, 4]]


def test_features_come_slice_by_slice_and_batches_hold_every_sequence_once() -> None:
    found = make_sequences(TABLE, np.arange(len(TABLE.trial)), t_min=1, t_max=3)
    seen = []
    for picks, n_slices in found.by_length(4):
        x = found.features(picks, n_slices)["x"].reshape(len(picks), n_slices, -1)
        for pick, part in zip(picks.tolist(), x, strict=True):
            rows = [row for row in found.rows[pick].tolist() if row >= 0]
            assert len(rows) == n_slices
            assert part.equal(TABLE.features["x"][rows])
        seen += picks.tolist()
    assert sorted(seen) == list(range(len(found)))
