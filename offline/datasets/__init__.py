"""Data sets: each gives participants whose windows come from the runtime's own chain."""
