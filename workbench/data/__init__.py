"""Datasets for fine-tuning: read, laid out, rendered, tokenized once, batched."""
