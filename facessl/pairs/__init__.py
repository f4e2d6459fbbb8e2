"""Which pairs of faces verification asks about: those of a ``pairs.txt``, or drawn from a set's test part."""

from facessl.pairs._drawn import draw
from facessl.pairs._file import ListedPair, parse, read
from facessl.pairs._found import find
from facessl.pairs._protocol import Protocol, unnamed

__all__ = ["ListedPair", "Protocol", "draw", "find", "parse", "read", "unnamed"]
