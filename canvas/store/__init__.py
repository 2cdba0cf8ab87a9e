"""The door to where documents are kept."""
