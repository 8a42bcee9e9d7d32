"""Photo files to the manifest: listing, checks, duplicates, flags and splits."""
