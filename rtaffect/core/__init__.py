"""The words that every other part speaks: events, windows, estimates, errors (stdlib and numpy)."""
