"""Predictions over whole data sets."""
