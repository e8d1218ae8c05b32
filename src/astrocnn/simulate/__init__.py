"""The embedded data: survey-like FITS and catalogues with known truth."""
