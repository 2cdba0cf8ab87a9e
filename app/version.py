"""The version of this Easel, as it is installed."""

from importlib.metadata import version

VERSION = version("easel")
