"""Volumes as they leave the scanner become ROI frames on LSL: a process of its own."""
