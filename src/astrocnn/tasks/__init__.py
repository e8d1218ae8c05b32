"""LightningModules: a network, a loss, metrics, an optimiser, augmentation and normalisation."""
