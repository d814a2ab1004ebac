# Merkle hash tree of RFC 6962 section 2.1.
"""Tree with cached complete subtrees, and the verification of its proofs."""
from __future__ import annotations

import hashlib


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """Largest power of two below size."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """Append-only; level k holds the hashes of complete subtrees of 2^k."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> int:
        """Adds a leaf hash and answers its index."""
        self._levels[0].append(leaf)
        level = 0
        while len(self._levels[level]) % 2 == 0:
            left, right = self._levels[level][-2:]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node_hash(left, right))
        return len(self) - 1

    def _range(self, low: int, high: int) -> bytes:
        size = high - low
        if size & (size - 1) == 0 and low % size == 0:
            return self._levels[size.bit_length() - 1][low // size]
        middle = low + _split(size)
        return node_hash(self._range(low, middle), self._range(middle, high))

    def root(self, size: int | None = None) -> bytes:
        size = len(self) if size is None else size
        return self._range(0, size) if size else hashlib.sha256(b"").digest()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size])."""
        low, high, path = 0, size, []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """PROOF(first, D[second])."""
        if first in (0, second):
            return []
        low, high, whole, path = 0, second, True, []
        while first != high:
            middle = low + _split(high - low)
            if first <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(low, high))
        return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int,
                        path: list[bytes]) -> bytes | None:
    """Root that the proof leads to; None when its length is wrong."""
    if index >= size:
        return None
    position, last, value = index, size - 1, leaf
    for node in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            value = node_hash(node, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, node)
        position, last = position >> 1, last >> 1
    return value if last == 0 else None


def consistent(first: int, second: int, old: bytes, new: bytes,
               path: list[bytes]) -> bool:
    """Whether the tree of size first is a prefix of the one of size second."""
    if first == second:
        return not path and old == new
    if first == 0:
        return not path
    nodes = list(path)
    if first & (first - 1) == 0:
        nodes.insert(0, old)
    if not nodes:
        return False
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    low = high = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            low, high = node_hash(node, low), node_hash(node, high)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            high = node_hash(high, node)
        position, last = position >> 1, last >> 1
    return last == 0 and low == old and high == new
