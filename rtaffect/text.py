"""Words on the terminal: what several commands say alike, and text of others."""

LEAKY = (
    "LEAKY: test data took part in its making, to reproduce a paper. How well it does on a new "
    "person is not known."
)
"""What follows the name of such a model."""


def printable(text: str) -> str:
    """Return text without what steers a terminal: a name on the network may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in text)
