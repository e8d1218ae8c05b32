"""Splits, loaders, and what is known of a data set before a pixel is read."""
