"""The arithmetic of proofs: intervals, paired tests, distances of models, and what they mean in words."""
