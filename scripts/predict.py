"""Write probabilities of unlabelled images: python scripts/predict.py run=outputs/... data=cutouts data.images=..."""

from astrocnn.runtime.cli import predict

if __name__ == "__main__":
    predict()
