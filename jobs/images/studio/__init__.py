"""The built-in painter: a picture from words and a seed, drawn with Pillow and `random.Random`, no model, no network.

    sketch -> palette (which colours the words ask for) -> composition (landscape, ribbons, waves, city) -> painting

The same sketch gives the same bytes, in every process.
"""
