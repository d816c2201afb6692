"""``python -m rtaffect`` is ``rtaffect``."""

from rtaffect.cli.main import main

main()
