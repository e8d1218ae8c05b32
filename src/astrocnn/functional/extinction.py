"""Extinction by the dust of the Milky Way in the bands of surveys."""

__all__ = ["SURVEYS"]

SURVEYS: dict[str, dict[str, float]] = {
    "lsst": {"u": 4.145, "g": 3.237, "r": 2.273, "i": 1.684, "z": 1.323, "y": 1.088},
    "sdss": {"u": 4.239, "g": 3.303, "r": 2.285, "i": 1.698, "z": 1.263},
    "des": {"g": 3.237, "r": 2.176, "i": 1.595, "z": 1.217, "Y": 1.058},
    "ps1": {"g": 3.172, "r": 2.271, "i": 1.682, "z": 1.322, "y": 1.087},
}
"""A_b / E(B−V), with E(B−V) of the map of Schlegel et al. (1998), R_V = 3.1: Schlafly & Finkbeiner (2011, ApJ 737,
103), table 6. The factor 0.86 by which they rescale that map is contained."""
