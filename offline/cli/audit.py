"""``rtaffect-offline audit``: whether a split leaks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from offline.cli.folds import folds_in_words
from offline.cli.plans import subjects_read
from offline.cli.running import Changes

if TYPE_CHECKING:  # what follows loads torch
    from offline.audit import Audit
    from offline.canaries import Signature
    from offline.items import Items

_TABLES = (".csv", ".tsv", ".txt")

_CAPTION = (
    "Known again: each trial (subject, ...) is given features and a tossed label of its own; who "
    "never met it is right in 50% of the test set. Noise: features and labels are tossed for every "
    "item; 50% is honest."
)

_PLURAL = {"trial": "Trials", "subject": "Subjects", "session": "Sessions", "stimulus": "Stimuli"}

_KNOWN = {
    "subject": "a model of these very people; says nothing about others",
    "session": "a model of these very sessions; says nothing about other days",
    "stimulus": "knowing the stimulus again may help; see the protocol `stimuli`",
}
"""What follows where members of a group were met in training."""


def audit(
    path: Annotated[
        Path,
        typer.Argument(
            help="A recipe (YAML), or your own split: a CSV or TSV with the columns subject, "
            "trial, role (train, validation, test) and maybe session, stimulus, window, fold."
        ),
    ],
    changes: Changes = None,
    leaky: Annotated[
        bool, typer.Option("--leaky", help="Your split is known to leak: stamp it, do not refuse.")
    ] = False,
    items: Annotated[
        bool,
        typer.Option(
            "--items",
            help="Only list what the recipe's protocol shares out, tab-separated: the names that a "
            "table of your own must have.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the made-up data.")] = 0,
    cache: Annotated[
        Path, typer.Option(help="Folder of features, for protocols that share out windows.")
    ] = Path("runs/features"),
) -> None:
    """Say what a split keeps apart, and try it on made-up data that only a leak can tell.

    No signal is read, unless windows are shared out: then features are computed as for `train`.
    Exits with 1 where the split is refused.

    Example: rtaffect-offline audit my_folds.tsv

    Example: rtaffect-offline audit recipe.yaml --items > my_folds.tsv
    """
    from offline.audit import audit as look
    from offline.audit import items_of_recipe
    from offline.protocols.files import read_split_table, write_items
    from offline.runs.local import n_cores
    from rtaffect.core.errors import ConfigError

    console = Console(highlight=False)
    chooses_by_test = False
    if path.suffix.lower() in _TABLES:
        if changes or items:
            given = [*(changes or ()), *(["--items"] if items else [])]
            msg = (
                "A split of your own has no settings to change and no items but its own, got "
                f"{' '.join(given)}. Give a recipe."
            )
            raise ConfigError(msg)
        shared, split = read_split_table(path, leaky=leaky)
    else:
        if leaky:
            msg = "--leaky is for a split of your own; a recipe's protocol says it by itself."
            raise ConfigError(msg)
        from offline.recipe import load_recipe

        recipe = load_recipe(path, changes or ())
        chooses_by_test = bool(recipe.training.paper_protocol)
        if not items:
            recipe.protocol.check()
        with subjects_read(recipe.name, Console(stderr=True)) as report:
            shared, classes = items_of_recipe(recipe, cache, n_workers=n_cores(), report=report)
        if items:
            write_items(sys.stdout, shared)
            return
        split = recipe.protocol.split(shared, classes=classes, seed=recipe.seeds[0])
    found = look(shared, split, seed=seed)
    _show(found, shared, console, chooses_by_test=chooses_by_test)
    if found.refusals:
        raise typer.Exit(1)


def _show(found: "Audit", items: "Items", console: Console, *, chooses_by_test: bool) -> None:
    split = found.split
    console.print(
        f"{split.protocol} (digest {split.digest[:12]}). Folds: {len(split.folds)}. "
        f"{split.level.capitalize()}s: {len(items)}. Subjects: {len(set(items.subject))}.",
        markup=False,
    )
    console.print(folds_in_words(split, items), markup=False, soft_wrap=True)
    table = Table("", "found", "which means", caption=_CAPTION, caption_justify="left")
    table.add_row(
        "Kept apart",
        ", ".join(split.disjoint) or "nothing",
        _proof(found),
    )
    for signature in found.signatures:
        table.add_row(
            f"{_PLURAL[signature.group]} known again",
            f"{signature.accuracy:.1%}",
            _meaning(signature, is_leaky=split.leaky),
        )
    if found.selection is not None:
        by_rule = found.selection.accuracy
        table.add_row("Noise, epoch chosen by validation", f"{by_rule['validation']:.1%}", "")
        table.add_row("Noise, last epoch", f"{by_rule['last']:.1%}", "")
        table.add_row(
            "Noise, epoch chosen by TEST",
            f"{by_rule['best_test']:.1%}",
            f"{100 * found.selection.inflation:+.1f} points for nothing"
            + ("; [red]this recipe does so[/red]" if chooses_by_test else ""),
        )
    console.print(table)
    for reason in found.refusals:
        console.print("Refused:", style="bold red", end=" ")
        console.print(reason, markup=False)
    if found.refusals:
        return
    if split.leaky or chooses_by_test:
        console.print(
            "Leaky, and declared so: to reproduce a paper, never to believe. Everything that comes "
            "of it is stamped.",
            style="yellow",
        )
    else:
        console.print("Sound.", style="bold green")


def _proof(found: "Audit") -> str:
    if found.fault:
        return "[red]not proved, see below[/red]"
    return "[green]proved[/green]" if found.split.disjoint else "there is nothing to prove"


def _meaning(signature: "Signature", *, is_leaky: bool) -> str:
    if not signature.is_known and signature.n_met:
        return (
            f"[yellow]{signature.n_met} of {signature.n_tested} tested are trained on: no "
            "strangers, though too few to be heard here[/yellow]"
        )
    if not signature.is_known:
        return "[green]strangers[/green]"
    if signature.group != "trial":
        return f"met in training: {_KNOWN[signature.group]}"
    return "[yellow]leaks, as declared[/yellow]" if is_leaky else "[red]leaks[/red]"
