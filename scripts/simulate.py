"""Write simulated FITS images with known truth: python scripts/simulate.py data=lenses"""

from astrocnn.runtime.cli import simulate

if __name__ == "__main__":
    simulate()
