"""The course's rooms; utils.py is the index of what they offer."""
