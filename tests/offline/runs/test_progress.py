import io

from pretend_units import pretend_units
from rich.console import Console

from offline.runs.messages import Died, EpochEnded, Failed, Finished, Message, Started
from offline.runs.plan import Unit
from offline.runs.progress import Screen

UNITS = pretend_units("a", "b")


def shown(*messages: Message, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=160, color_system=None)
    with Screen(console, dict.fromkeys(UNITS, 4), {UNITS[0].run: "w/o [PKE]"}) as screen:
        for message in messages:
            screen.hear(message)
    return text.getvalue()


def epoch(unit: Unit, number: int) -> EpochEnded:
    return EpochEnded(unit=unit, number=number, train_nll=0.5, validation_nll=0.625)


def test_a_terminal_shows_fold_epoch_loss_and_how_much_is_done() -> None:
    text = shown(Started(unit=UNITS[0]), epoch(UNITS[0], 2), terminal=True)
    assert "w/o [PKE] a seed 0" in text
    assert "epoch 2  NLL 0.500 train, 0.625 validation" in text
    assert "25%" in text  # 2 of the 8 epochs of all units
    assert "0 of 2 done" in text


def test_a_unit_that_ended_early_counts_as_whole() -> None:
    told = [Started(unit=UNITS[0]), epoch(UNITS[0], 1), Finished(unit=UNITS[0])]
    text = shown(*told, *told[-1:], terminal=True)  # told twice, as after a worker's death
    assert "50%" in text
    assert "1 of 2 done" in text
    assert "2 of 2" not in text


def test_without_a_terminal_there_is_a_line_for_each_unit_that_is_done() -> None:
    told = [Started(unit=UNITS[0]), epoch(UNITS[0], 1), Finished(unit=UNITS[0])]
    lines = shown(*told, terminal=False).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("1 of 2  w/o [PKE] a seed 0")


def test_what_goes_wrong_is_told_at_once() -> None:
    died = Died(units=UNITS[:1], why="The process that worked on it was killed by signal 9")
    failed = Failed(units=UNITS[1:], why="[bold] is no markup")
    text = shown(died, failed, terminal=False)
    assert "a seed 0: The process that worked on it was killed by signal 9; it goes on." in text
    assert "b seed 0: [bold] is no markup" in text
