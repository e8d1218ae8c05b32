"""Batched, validity-aware transforms that run on the device."""
