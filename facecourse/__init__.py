"""The course: helpers in packages by concept; utils.py is the index of what the notebooks call."""
