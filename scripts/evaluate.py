"""Recompute every figure of a run: python scripts/evaluate.py run=outputs/..."""

from astrocnn.runtime.cli import evaluate

if __name__ == "__main__":
    evaluate()
