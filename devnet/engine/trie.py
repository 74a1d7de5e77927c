"""
Keep Merkle-Patricia tries in memory and hash what changed (Yellow Paper, appendix D).

A node is a list. A branch has 18 places: 16 children, a value, and at the end its reference; a
short node has four: its path, whether it is a leaf, its value or child, and its reference. The
reference is the node's hash, or its RLP where that is shorter than a hash; None means that the node
or something below it changed since the last root.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from devnet.engine.encoding import HASH, integer, joined_list, keccak, rlp_encode

EMPTY_ROOT: Final = keccak(b"\x80")
"""Root of a trie that holds nothing."""

_BRANCH: Final = 18
_VALUE: Final = 16
_NO_CHILD: Final = b"\x80"
_HASH_PREFIX: Final = b"\xa0"
_LEAF: Final = 0x20
_ODD: Final = 0x10
_NIBBLES: Final = tuple(bytes((byte >> 4, byte & 15)) for byte in range(256))

_Node = list[Any]


class Trie:
    """One trie."""

    def __init__(self, items: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Begin with ``items``, keys and values."""
        self._top: _Node | None = None
        for key, value in items:
            self.put(key, value)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of ``key``; no bytes delete it."""
        path = _path(key)
        self._top = _put(self._top, path, value) if value else _delete(self._top, path)

    def root(self) -> bytes:
        """Return the root; only what changed since the last time is hashed."""
        if self._top is None:
            return EMPTY_ROOT
        reference = _reference(self._top)
        # A node shorter than a hash is hashed all the same at the top.
        return reference[1:] if len(reference) > HASH else keccak(reference)

    def prove(self, key: bytes) -> tuple[bytes, ...]:
        """
        Return the nodes on the way to ``key``, from the root on, in RLP.

        They prove its value, or that there is none. A node shorter than a hash stands inside the
        one above it (EIP-1186).
        """
        if self._top is None:
            return ()
        found: list[bytes] = []
        node: _Node | None = self._top
        path = _path(key)
        while node is not None:
            encoded = _encoded(node)
            if len(encoded) >= HASH or not found:
                found.append(encoded)
            node, path = _below(node, path)
        return tuple(found)


def root_of(values: Sequence[bytes]) -> bytes:
    """Return the root over ``values`` by their index, as blocks do for their transactions."""
    return Trie((rlp_encode(integer(index)), value) for index, value in enumerate(values)).root()


def _below(node: _Node, path: bytes) -> tuple[_Node | None, bytes]:
    """Return the next node on ``path``, or None, and what is left of the path."""
    if len(node) == _BRANCH:
        return (node[path[0]], path[1:]) if path else (None, b"")
    own, is_leaf = node[0], node[1]
    if is_leaf or not path.startswith(own):
        return None, b""
    return node[2], path[len(own) :]


def _put(node: _Node | None, path: bytes, value: bytes) -> _Node:
    if node is None:
        return [path, True, value, None]
    node[-1] = None
    if len(node) == _BRANCH:
        if path:
            node[path[0]] = _put(node[path[0]], path[1:], value)
        else:
            node[_VALUE] = value
        return node
    own, is_leaf = node[0], node[1]
    if is_leaf and own == path:
        node[2] = value
    elif not is_leaf and path.startswith(own):
        node[2] = _put(node[2], path[len(own) :], value)
    else:
        return _fork(node, path, value)
    return node


def _fork(node: _Node, path: bytes, value: bytes) -> _Node:
    """Return a branch where the short ``node`` and ``path`` part, below what they share."""
    own, is_leaf, below, _ = node
    shared = _shared(own, path)
    branch: _Node = [None] * _VALUE + [b"", None]
    rest = own[shared:]
    if not rest:
        branch[_VALUE] = below
    elif is_leaf or len(rest) > 1:
        branch[rest[0]] = [rest[1:], is_leaf, below, None]
    else:
        branch[rest[0]] = below
    rest = path[shared:]
    if rest:
        branch[rest[0]] = [rest[1:], True, value, None]
    else:
        branch[_VALUE] = value
    return [own[:shared], False, branch, None] if shared else branch


def _delete(node: _Node | None, path: bytes) -> _Node | None:
    if node is None:
        return None
    if len(node) == _BRANCH:
        node[-1] = None
        if path:
            node[path[0]] = _delete(node[path[0]], path[1:])
        else:
            node[_VALUE] = b""
        return _shrunk(node)
    own, is_leaf = node[0], node[1]
    if not is_leaf and path.startswith(own):
        return _joined(own, _delete(node[2], path[len(own) :]))
    return None if is_leaf and own == path else node


def _shrunk(branch: _Node) -> _Node | None:
    """Return ``branch``, or what remains of it where only one thing hangs on it."""
    filled = [index for index in range(_VALUE) if branch[index] is not None]
    if branch[_VALUE]:
        return branch if filled else [b"", True, branch[_VALUE], None]
    if len(filled) > 1:
        return branch
    return _joined(bytes(filled), branch[filled[0]]) if filled else None


def _joined(path: bytes, node: _Node | None) -> _Node | None:
    """Return the node that leads along ``path`` to ``node``, two short ones as one."""
    if node is None:
        return None
    if len(node) == _BRANCH:
        return [path, False, node, None]
    return [path + node[0], node[1], node[2], None]


def _reference(node: _Node) -> bytes:
    """Return how the node above names this one: by its hash in RLP, or by itself."""
    reference: bytes | None = node[-1]
    if reference is None:
        encoded = _encoded(node)
        reference = encoded if len(encoded) < HASH else _HASH_PREFIX + keccak(encoded)
        node[-1] = reference
    return reference


def _encoded(node: _Node) -> bytes:
    if len(node) == _BRANCH:
        children = [
            _NO_CHILD if child is None else child[-1] or _reference(child)
            for child in node[:_VALUE]
        ]
        children.append(rlp_encode(node[_VALUE]))
        return joined_list(children)
    path, is_leaf, below, _ = node
    packed = rlp_encode(_packed(path, is_leaf=is_leaf))
    return joined_list((packed, rlp_encode(below) if is_leaf else _reference(below)))


def _path(key: bytes) -> bytes:
    return b"".join([_NIBBLES[byte] for byte in key])


def _shared(one: bytes, other: bytes) -> int:
    """Return how many nibbles both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _packed(path: bytes, *, is_leaf: bool) -> bytes:
    """Return the hex-prefix encoding of ``path`` (Yellow Paper, appendix C)."""
    flag = _LEAF if is_leaf else 0
    if len(path) & 1:
        return bytes.fromhex(f"{flag | _ODD | path[0]:02x}" + path[1:].hex()[1::2])
    return bytes.fromhex(f"{flag:02x}" + path.hex()[1::2])
