"""A simulated participant whose valence and arousal are known; nobody is measured here."""
