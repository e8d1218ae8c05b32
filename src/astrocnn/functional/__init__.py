"""Pure functions of tensors and arrays: no state, no files, no configuration."""
