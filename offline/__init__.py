"""The trainer: PyTorch models in, bundles for the runtime out."""
