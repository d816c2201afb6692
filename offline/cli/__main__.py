"""``python -m offline.cli``."""

from offline.cli.main import main

if __name__ == "__main__":
    main()
