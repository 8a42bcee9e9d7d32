"""What only the optional notebooks 08 and 09 need: attacks, and an album of unnamed photos."""
