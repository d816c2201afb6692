"""Electrode sets by name, in MNE's spelling."""

EEG_32: tuple[str, ...] = tuple(
    "Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
    "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2".split()
)
"""DEAP's 32 electrodes in its "Geneva" order (Koelstra et al. 2011, doi:10.1109/T-AFFC.2011.15)."""

EEG_15: tuple[str, ...] = tuple("F3 Fz F4 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2".split())
"""What nearly every recording has: the 10-20 set without the frontal pole and the lower rows."""
