"""A camera becomes OpenFace's 29 features on LSL: a process of its own that keeps no picture."""
