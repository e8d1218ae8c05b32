"""Metrics in the way of torchmetrics, one idea a file."""
