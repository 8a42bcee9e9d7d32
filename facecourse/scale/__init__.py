"""Notebook 07: millions of photos and large galleries."""
