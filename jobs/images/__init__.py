"""Bytes to pictures and back: decode safely, make the variants, draw. Pillow is imported in this package only."""
