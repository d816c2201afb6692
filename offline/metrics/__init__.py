"""How good answers are, beside what knowing nothing gives: all from `offline.predictions`."""
