"""Doors to those who make pictures: one file a provider, one Protocol for all (`port.py`)."""
