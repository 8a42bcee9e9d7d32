"""Classifiers on embeddings, the training loop, and fine-tuning of the last block."""
