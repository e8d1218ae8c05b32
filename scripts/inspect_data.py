"""Look at what will be trained on: python scripts/inspect_data.py data=cutouts data.images='my/*.fits'."""

from astrocnn.runtime.cli import inspect_data

if __name__ == "__main__":
    inspect_data()
