"""Architectures: plain modules that turn tensors into raw outputs (logits, grids, mixture parameters)."""
