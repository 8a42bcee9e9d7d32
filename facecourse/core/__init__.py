"""Paths, settings, downloads, the cache and the report: what every other package uses."""
