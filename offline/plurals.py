"""Numbers with their nouns, for people."""

from collections.abc import Sequence


def counted(n: int, one: str, many: str = "") -> str:
    """Return ``"1 trial"``, ``"2 trials"``.

    Parameters
    ----------
    n : int
        How many.
    one, many : str
        The noun; its plural, where that is not the noun with an s.
    """
    return f"{n} {one if n == 1 else many or one + 's'}"


def ranged(fewest: int, most: int, one: str, many: str = "") -> str:
    """Return ``"1 to 4 windows"``, or what `counted` does where both are the same number."""
    return (f"{fewest} to " if fewest != most else "") + counted(most, one, many)


def some(names: Sequence[str], *, most: int = 3) -> str:
    """Return a few names and how many more there are: ``"a; b; c; and 4 more"``.

    Parameters
    ----------
    names : sequence of str
        All of them.
    most : int
        So many are named.
    """
    left = [f"and {len(names) - most} more"] if len(names) > most else []
    return "; ".join([*names[:most], *left])
