"""Widgets: naming faces, enrolling people, uploading photos."""
