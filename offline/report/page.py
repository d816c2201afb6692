"""The report as Markdown."""

from collections.abc import Iterator, Sequence

import yaml

from offline.plurals import counted
from offline.report.drawing import Drawing
from offline.report.numbers import Numbers
from offline.report.study import Study, Variant
from offline.report.tables import answers_in_tables, changes_in_tables, epochs_in_tables
from offline.report.variants import seen_in_words, variants_in_words
from offline.report.words import (
    counts_in_words,
    describe,
    labels_in_words,
    missing_in_words,
    people_in_words,
    table,
)


def write_page(study: Study, numbers: Numbers, drawings: Sequence[Drawing]) -> str:
    """Return the whole report.

    Parameters
    ----------
    study : Study
        What was asked.
    numbers : Numbers
        What came of it.
    drawings : sequence of Drawing
        Figures, which lie in ``figures/`` beside the report.
    """
    sections = [
        *_opening(study, numbers),
        *_variants(study),
        *answers_in_tables(study, numbers),
        *epochs_in_tables(study, numbers),
        *changes_in_tables(study, numbers.changes),
        *_figures(study, drawings),
        *_choices(study.variants),
        *_provenance(study),
    ]
    return "\n\n".join(sections) + "\n"


def _opening(study: Study, numbers: Numbers) -> Iterator[str]:
    title = f"# {study.name} ({study.design.protocol}) on {study.about.title}"
    yield " · ".join([title, *(stamp.partition(":")[0] for stamp in study.stamps)])
    if study.stamps:
        yield "\n".join(f"> **{stamp}**\n>" for stamp in study.stamps).removesuffix("\n>")
    yield "## What was asked"
    about = study.about
    first, *rest = describe(study.design, chosen=study.chosen)
    lines = [
        f"Data: {about.title} (used: {seen_in_words(study)}). Reference: "
        f"{about.reference or 'none'}. Licence: {about.licence.rstrip('.') or 'not stated'}.",
        *(f"Tested: {counts}." for counts in _counts(numbers)),
        *_lacks(study.variants),
        *(f"Answered: {text}." for text in labels_in_words(study)),
        *filter(None, (first, people_in_words(study.variants[0].n_people, chosen=study.chosen))),
        *rest,
    ]
    yield "\n".join(f"- {line}" for line in lines)
    if blind := [variant for variant in study.variants if variant.no_maps]:
        names = ", ".join(variant.name for variant in blind)
        yield f"> No maps of {names}. Of {blind[0].name}, because: {blind[0].no_maps}"
    if study.n_missing:
        unfinished = ", ".join(f"{v.name}: {v.n_missing}" for v in study.variants if v.n_missing)
        yield (
            f"> **NOT FINISHED: {missing_in_words(study.n_missing)} ({unfinished}). Folds that "
            "lack one are in no number below.**"
        )


def _counts(numbers: Numbers) -> Iterator[str]:
    """Yield how much was tested, and of which targets and variants where they differ."""
    by_size: dict[str, dict[str, list[str]]] = {}
    for answer in numbers.answers:
        done = answer.chosen
        size = (
            f"{counted(done.n_subjects, 'subject')}; "
            f"{counts_in_words(n_rows=done.per_trial.n, n_trials=answer.n_trials)}; "
            f"{counted(done.per_window.n, 'window')}; "
            f"{counted(done.n_seeds, 'training')} (seed) a fold"
        )
        by_size.setdefault(size, {}).setdefault(answer.target, []).append(answer.variant)
    for size, found in by_size.items():
        if len(by_size) == 1:
            yield size
            continue
        by_variants: dict[str, list[str]] = {}
        for target, variants in found.items():
            by_variants.setdefault(", ".join(variants), []).append(target)
        whose = "; ".join(f"{' and '.join(t)} by {who}" for who, t in by_variants.items())
        yield f"{whose}: {size}"


def _lacks(variants: Sequence[Variant]) -> Iterator[str]:
    """Yield what is not there, each sentence once, and of which variants where not of all."""
    by_sentence: dict[str, list[str]] = {}
    for variant in variants:
        for sentence in variant.lacks:
            by_sentence.setdefault(sentence, []).append(variant.name)
    for sentence, names in by_sentence.items():
        yield sentence if len(names) == len(variants) else f"{', '.join(names)}: {sentence}"


def _variants(study: Study) -> Iterator[str]:
    paragraphs = list(variants_in_words(study))
    if paragraphs:
        yield "## What each variant is" if len(study.variants) > 1 else "## What the model is"
        yield from paragraphs


def _figures(study: Study, drawings: Sequence[Drawing]) -> Iterator[str]:
    yield "## Figures"
    warning = " ".join(f"**{stamp}.**" for stamp in study.stamps)
    for i, drawing in enumerate(drawings, start=1):
        yield f"![{drawing.title}](figures/{drawing.name}.png)"
        yield f"**Figure {i}. {drawing.title}.** {drawing.caption} {warning}".rstrip()


def _choices(variants: Sequence[Variant]) -> Iterator[str]:
    first = variants[0]
    if not any(variant.choices for variant in variants):
        return
    yield "## What the paper leaves open, and what was taken"
    yield f"**{first.name}**\n\n" + "\n".join(f"- {choice}" for choice in first.choices)
    for variant in variants[1:]:
        is_alike = _model(variant) == _model(first)
        said = [c for c in variant.choices if not is_alike or c not in first.choices]
        if said:
            heading = f"**{variant.name}**" + (", otherwise the same" if is_alike else "")
            yield f"{heading}\n\n" + "\n".join(f"- {choice}" for choice in said)


def _model(variant: Variant) -> object:
    return variant.recipe.get("model", {}).get("kind")


def _provenance(study: Study) -> Iterator[str]:
    yield "## Where it comes from"
    rows = [[v.name, f"`{v.run_id}`", str(len(v.curves))] for v in study.variants]
    yield table(["variant", "run", "units (folds x seeds)"], rows, stamps=study.stamps)
    versions = ", ".join(f"{name} {version}" for name, version in study.versions.items())
    yield f"Split `{study.design.digest[:12]}`. Software: {versions}."
    if commands := dict.fromkeys(c for variant in study.variants for c in variant.commands):
        yield "Made by\n\n```sh\n" + "\n".join(commands) + "\n```"
    recipe = yaml.safe_dump(dict(study.recipe), sort_keys=False, allow_unicode=True, width=100)
    yield f"The recipe of {study.variants[0].name}, with every default:\n\n```yaml\n{recipe}```"
