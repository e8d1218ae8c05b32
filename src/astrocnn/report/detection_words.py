"""How the figures of detections are named, on the page and in the terminal alike."""

__all__ = ["AVERAGES", "TILES"]

TILES = {  # key of metrics.json: name
    "f1": "F1",
    "completeness": "Completeness",
    "purity": "Purity",
    "blended_completeness": "Completeness, blended",
    "star_auroc": "Star–galaxy AUROC",
}
AVERAGES = {  # key: (name, what it is)
    "ap_distance": (
        "AP, centres",
        "area under precision and completeness, pairs by the distance of their centres",
    ),
    "map": ("mAP", "COCO: mean over classes and over IoU 0.50 to 0.95"),
    "map_50": ("mAP, IoU 0.5", "mean over classes"),
    "ap_50": ("AP, IoU 0.5", "all classes taken as one"),
}
