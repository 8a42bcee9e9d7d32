"""What notebook 02 shows of a detector: its stages, its truth, its failures, what alignment does."""
