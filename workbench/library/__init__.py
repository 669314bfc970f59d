"""The model library: what is on disk, what it is, and whether it fits."""
