"""FITS and tables in, products out: the only room that opens files."""
