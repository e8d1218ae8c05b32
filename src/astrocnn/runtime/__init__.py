"""Composes a run from its configuration: build, train, evaluate, predict, simulate, load."""
