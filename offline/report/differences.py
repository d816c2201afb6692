"""What a variant is worth beside the first, where labels change within a trial."""

from collections.abc import Iterator

from offline.metrics.course import changes_within_trials
from offline.metrics.differences import Comparison, compare, same_windows
from offline.report.study import Study, Variant
from rtaffect.manifest import Metric

_SEED = 0
"""Of bootstraps: the same runs give the same words."""


def compared(study: Study, target: str) -> Iterator[tuple[Variant, Comparison]]:
    """Yield each variant beside the first: one is the first, other the variant.

    Variants that answered other windows, such as those of another lag, are left out.

    Parameters
    ----------
    study : Study
        Of windows that all variants were tested on.
    target : str
        What was answered.
    """
    first, *others = (v for v in study.variants if target in v.answers["validation"])
    said = first.answers["validation"][target]
    for variant in others:
        again = variant.answers["validation"][target]
        if same_windows(said, again):
            yield variant, compare(said, again, seed=_SEED)


def differences_in_words(study: Study, target: str) -> Iterator[str]:
    """Yield a sentence for each variant beside the first, in balanced accuracy per window.

    Nothing where a trial has one label: that is counted per trial, see `offline.report.numbers`.
    """
    first = study.variants[0].name
    some = next((v for v in study.variants if target in v.answers["validation"]), None)
    if some is None or not changes_within_trials(some.answers["validation"][target][0]):
        return
    for variant, found in compared(study, target):
        by_subject = found.by_subject
        n_subjects = len(by_subject.by_subject)
        of_episodes = (
            f", {_interval(found.by_episode)} over subjects and {found.n_episodes} episodes"
            if found.by_episode is not None
            else ""
        )
        yield (
            f"{first} less {variant.name}: {found.one:.3f} - {found.other:.3f} = "
            f"{by_subject.value.value:+.3f}, {_interval(by_subject.value)} over subjects "
            f"(better in {found.n_better} of {n_subjects}, p = {by_subject.p:.3f})"
            f"{of_episodes}."
        )


def _interval(metric: Metric) -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return "no interval"
    return f"[{metric.ci_low:+.3f}, {metric.ci_high:+.3f}]"
