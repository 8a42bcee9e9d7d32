"""Identification, verification and open-set recognition: figures with their intervals."""
