"""Losses, one idea a file."""
