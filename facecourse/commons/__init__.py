"""Freely licensed photos of named people, collected from Wikimedia Commons."""
