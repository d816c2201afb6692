"""Where things go: subscribers, LSL outlets, recordings."""
