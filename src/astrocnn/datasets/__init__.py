"""Datasets, one file per way the pixels are held."""
