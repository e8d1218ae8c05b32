"""Train a network on a data set: python scripts/train.py model=resnet data=lenses"""

from astrocnn.runtime.cli import train

if __name__ == "__main__":
    train()
