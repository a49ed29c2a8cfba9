"""Preconditioning, denoisers and training. Modality-free."""
