"""The door to the object store: bytes by key (`port.py`), wherever they are kept."""
