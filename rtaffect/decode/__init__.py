"""From windows to estimates: one bundle's graphs, run."""
