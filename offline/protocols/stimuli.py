"""Leave subjects and stimuli out: neither the person nor what was shown was met in training."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import ProtocolSettings, Split
from offline.protocols.shares import (
    BY_SUBJECT,
    Ints,
    class_strata,
    deal,
    fold_of,
    seal,
    subjects_of,
)


class StimuliSettings(ProtocolSettings):
    """Test = held-out subjects x held-out stimuli; train = other subjects x other stimuli.

    Validation has subjects and stimuli of its own as well; the items that are left over (an old
    stimulus seen by a new subject, or the other way about) are not used. Stimuli are dealt so that
    each share has its part of every class (the one that most subjects gave a stimulus). Every item
    is tested once; a fold in which the tested subjects saw none of the tested stimuli is left out.

    Parameters
    ----------
    n_subject_folds : int or None
        Shares of the subjects; each subject alone where None.
    n_stimulus_folds : int
        Shares of the stimuli: one for test, one for validation, the others for training.
    n_validation : int
        Shares of the subjects that validate: subjects, where each is alone.
    """

    kind: Literal["stimuli"] = "stimuli"
    n_subject_folds: int | None = Field(default=None, ge=3)
    n_stimulus_folds: int = Field(default=4, ge=3)
    n_validation: int = Field(default=2, ge=1)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return a fold for each pair of subject share and stimulus share.

        Folds are named ``"s01-2"`` (a subject alone) or ``"1-2"``; see `ProtocolSettings.split`.
        """
        subjects, stimuli = subjects_of(items), tuple(dict.fromkeys(items.stimulus))
        n_shares = self.n_subject_folds or len(subjects)
        self._check(items, n_subjects=len(subjects), n_stimuli=len(stimuli), n_shares=n_shares)
        rng = np.random.default_rng(seed)
        if self.n_subject_folds is None:
            dealt = rng.permutation(n_shares)
        else:
            dealt = deal(np.zeros(len(subjects), dtype=np.int64), n_shares, rng)
        strata = _usual_class(items.stimulus, stimuli, class_strata(classes, len(items)))
        shown = deal(strata, self.n_stimulus_folds, rng)
        subject_share = dict(zip(subjects, dealt.tolist(), strict=True))
        stimulus_share = dict(zip(stimuli, shown.tolist(), strict=True))
        # How far each item's share lies after the tested one, on a ring of shares: 0 is tested.
        who = np.array([subject_share[name] for name in items.subject])
        what = np.array([stimulus_share[name] for name in items.stimulus])
        folds = []
        for share in sorted(range(n_shares), key=dealt.tolist().index):
            name = share + 1 if self.n_subject_folds else subjects[dealt.tolist().index(share)]
            by_subject = (who - share) % n_shares
            for number in range(self.n_stimulus_folds):
                by_stimulus = (what - number) % self.n_stimulus_folds
                roles = np.full(len(items), "", dtype="<U10")
                roles[(by_subject > self.n_validation) & (by_stimulus > 1)] = "train"
                validates = (by_subject >= 1) & (by_subject <= self.n_validation)
                roles[validates & (by_stimulus == 1)] = "validation"
                roles[(by_subject == 0) & (by_stimulus == 0)] = "test"
                if "test" in roles:
                    folds.append(fold_of(f"{name}-{number + 1}", roles.tolist()))
        return seal(self, items, folds, disjoint=(*BY_SUBJECT, "stimulus"))

    def _check(self, items: Items, *, n_subjects: int, n_stimuli: int, n_shares: int) -> None:
        if "" in items.stimulus:
            nameless = items.subject[items.stimulus.index("")]
            msg = (
                "Leaving stimuli out needs the name of every trial's stimulus, but a trial of "
                f"{nameless} has none. Use another protocol, such as loso."
            )
            raise LeakError(msg)
        if n_shares < self.n_validation + 2 or n_subjects < n_shares:
            needed = max(self.n_validation + 2, self.n_subject_folds or 0)
            msg = (
                f"Leaving subjects out with {self.n_validation} of {n_shares} shares for "
                f"validation needs at least {needed} subjects and as many shares, got "
                f"{n_subjects} subjects."
            )
            raise LeakError(msg)
        if n_stimuli < self.n_stimulus_folds:
            msg = f"{self.n_stimulus_folds} shares of stimuli need as many, got {n_stimuli}."
            raise LeakError(msg)


def _usual_class(shown: tuple[str, ...], stimuli: tuple[str, ...], classes: Ints) -> Ints:
    """Return the class that each stimulus has most often."""
    column = np.array(shown)
    return np.array([np.bincount(classes[column == name]).argmax() for name in stimuli])
