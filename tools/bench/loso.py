"""Leaving one subject out, the DFCN with a face: fold after fold, side by side, and packed."""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from shared import cpu_s, machine, say, table

from offline.recipe import Recipe
from offline.runs.carry_out import carry_out, left_to_do, write_plan
from offline.runs.executor import Executor
from offline.runs.local import InProcess, SideBySide
from offline.runs.record import this_session
from offline.runs.together import Together
from offline.runs.trainer import Trainer, plan_run
from offline.runs.work import OneByOne, Work
from offline.table import read_table
from offline.training import choose_device


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Return the recipe of the live bundle on simulated participants, a few epochs long."""
    model: dict[str, Any] = {"kind": "prior_dfcn", "maps": [8, 16]}
    training = {
        "max_epochs": args.epochs,
        "patience": args.epochs,
        "modality_dropout": {"face": 0.3},
    }
    return Recipe.model_validate(
        {
            "name": "bench",
            "dataset": {
                "kind": "simulated",
                "n_subjects": args.subjects,
                "n_trials": 10,
                "trial_s": 30,
                "sfreq": 128,
            },
            "windows": {"face": True},
            "model": model,
            "sequences": {"t_min": 1, "t_max": 4},
            "training": training,
            "protocol": {"kind": "loso"},
        }
    )


def not_at_all(message: object) -> None:
    """Hear nothing: a screen would only take time."""


def main() -> None:
    """Train all folds in each way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = recipe_of(args)
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "features"
        say(f"Computing features of {args.subjects} simulated participants ...")
        features = read_table(recipe, cache, n_workers=args.workers)

        def seconds(
            name: str, executor: Executor, work: Work, root: Path, n_together: int
        ) -> tuple[float, float]:
            run = plan_run("full", recipe, features)
            write_plan("bench", [run], root, this_session("bench"))
            say(f"Training {len(run.units)} folds {name} ...")
            began, cpu_began = time.perf_counter(), cpu_s()
            carry_out(
                left_to_do([run], root),
                executor=executor,
                work=work,
                hear=not_at_all,
                n_together=n_together,
            )
            return time.perf_counter() - began, cpu_s() - cpu_began

        def one_by_one(root: Path) -> OneByOne:
            return OneByOne(root=root, function=Trainer(cache))

        roots = [Path(scratch) / name for name in ("after", "beside", "packed")]
        n_folds = args.subjects
        took = {
            "one after the other": seconds(
                "one after the other", InProcess(roots[0]), one_by_one(roots[0]), roots[0], 1
            ),
            f"{args.workers} processes side by side": seconds(
                "side by side",
                SideBySide(roots[1], args.workers),
                one_by_one(roots[1]),
                roots[1],
                1,
            ),
            f"{n_folds} packed in one process": seconds(
                "packed",
                InProcess(roots[2]),
                Together(root=roots[2], cache=cache),
                roots[2],
                n_folds,
            ),
        }
    first = next(iter(took.values()))[0]
    rows = [(name, f"{s:.1f}", f"{cpu:.1f}", f"{first / s:.2f}") for name, (s, cpu) in took.items()]
    where = choose_device(recipe.training).type
    print(f"### LOSO of the DFCN, {n_folds} folds, {args.epochs} epochs, {where}\n\n{machine()}\n")
    print(table(("folds", "s", "CPU s, all", "times"), rows), "\n")


if __name__ == "__main__":
    main()
