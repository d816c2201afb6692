"""Runs: a plan of units, folders that are done or not, and whoever carries units out."""
