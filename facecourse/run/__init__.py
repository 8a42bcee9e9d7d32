"""Running the notebooks in order, and preparing a machine for them."""
