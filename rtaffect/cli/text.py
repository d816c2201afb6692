"""Text of others on our terminal."""


def printable(text: str) -> str:
    """Return text without what steers a terminal: a name on the network may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in text)
