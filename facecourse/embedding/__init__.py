"""Backbones and embeddings: weights, export, 8 bits, and embeddings kept by content."""
