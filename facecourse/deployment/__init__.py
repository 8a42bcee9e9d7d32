"""The model bundle, the function's package, and AWS."""
