"""Colours by the book, without the library that is tested: ICC profiles made by hand, and how far colours are apart."""

from __future__ import annotations

import struct
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

Triple = tuple[float, float, float]
Primaries = tuple[Triple, Triple, Triple]

# XYZ of red, green and blue, seen under D50 as profiles have it (ICC.1:2022, annex E).
SRGB: Primaries = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))
DISPLAY_P3: Primaries = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
ADOBE_RGB: Primaries = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
WHITE: Triple = (0.9642, 1.0, 0.8249)


def profile(primaries: Primaries, gamma: float) -> bytes:
    """A display profile of three primaries and one curve (ICC.1:2022, 8.4)."""
    colours = {name: _xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    curves = {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"RGB ", colours | curves)


def gray_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def in_srgb(colour: tuple[int, int, int], primaries: Primaries, gamma: float) -> Triple:
    """0 to 255; what sRGB has no name for is cut."""
    light = [(level / 255) ** gamma for level in colour]
    xyz = [sum(light[channel] * primaries[channel][axis] for channel in range(3)) for axis in range(3)]
    red, green, blue = (_encoded(level) * 255 for level in _solved(SRGB, xyz))
    return red, green, blue


def difference(one: Triple, other: Triple) -> float:
    """ΔE2000 of two sRGB colours, 0 to 255."""
    return lab_difference(_lab(one), _lab(other))


def lab_difference(one: Triple, other: Triple) -> float:
    """ΔE2000 (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c7 = ((hypot(a1, b1) + hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * sqrt(mean_c7 / (mean_c7 + 25**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = degrees(atan2(b1, a1)) % 360, degrees(atan2(b2, a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    l_diff, c_diff, h_diff = l2 - l1, c2 - c1, 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = 1 - 0.17 * cos(radians(h_mean - 30)) + 0.24 * cos(radians(2 * h_mean))
    t += 0.32 * cos(radians(3 * h_mean + 6)) - 0.2 * cos(radians(4 * h_mean - 63))
    l_weight = 1 + 0.015 * (l_mean - 50) ** 2 / sqrt(20 + (l_mean - 50) ** 2)
    c_weight, h_weight = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    rotation = -2 * sqrt(c_mean**7 / (c_mean**7 + 25**7)) * sin(radians(60 * exp(-(((h_mean - 275) / 25) ** 2))))
    c_part, h_part = c_diff / c_weight, h_diff / h_weight
    return sqrt((l_diff / l_weight) ** 2 + c_part**2 + h_part**2 + rotation * c_part * h_part)


def _lab(colour: Triple) -> Triple:
    light = [
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in (c / 255 for c in colour)
    ]
    xyz = [sum(light[channel] * SRGB[channel][axis] for channel in range(3)) for axis in range(3)]
    x, y, z = (
        ratio ** (1 / 3) if ratio > 216 / 24389 else (24389 / 27 * ratio + 16) / 116
        for ratio in (value / white for value, white in zip(xyz, WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _encoded(light: float) -> float:
    light = min(1.0, max(0.0, light))
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _solved(columns: Primaries, right: list[float]) -> list[float]:
    """Cramer's rule."""
    whole = _determinant(*columns)
    value: Triple = (right[0], right[1], right[2])
    return [
        _determinant(*(value if place == channel else column for place, column in enumerate(columns))) / whole
        for channel in range(3)
    ]


def _determinant(a: Triple, b: Triple, c: Triple) -> float:
    return a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1]) + c[0] * (a[1] * b[2] - a[2] * b[1])


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(value: Triple) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, value))


def _curve(gamma: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 8, 28) + "Test".encode("utf-16-be")
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(WHITE)} | tags
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"\0\0\0\0", 0x04300000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    head = head.ljust(68, b"\0") + b"".join(map(_fixed, WHITE))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
