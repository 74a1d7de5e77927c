"""
Change Merkle-Patricia tries that are kept by hash (Yellow Paper, appendix D).

A trie is opened on a root, changed in memory and sealed into a new root and the nodes that are
new. Old nodes stay, so every past state can still be read.

In memory a node is a list: 17 items for a branch, two for a leaf or an extension. A reference to a
node is its hash, or the list itself where it was changed or is too short to be hashed, or no bytes.
"""

from collections.abc import Mapping
from typing import Final, cast

from devnet.engine.encoding import HASH, Decoded, integer, keccak, rlp_decode, rlp_encode
from ledger.errors import Integrity

EMPTY_ROOT: Final = keccak(rlp_encode(b""))
"""Root of a trie that holds nothing."""

_BRANCH: Final = 17
_VALUE: Final = 16
_LEAF: Final = 0x20
_ODD: Final = 0x10

_Node = list[Decoded]
_NIBBLES: Final = tuple(bytes((byte >> 4, byte & 15)) for byte in range(256))


class MissingNodeError(Integrity):
    """A trie names a node that is not kept."""

    def __init__(self, reference: bytes) -> None:
        super().__init__("missing_trie_node", f"there is no trie node 0x{reference.hex()}")


def root_of(values: tuple[bytes, ...]) -> bytes:
    """Return the root over ``values`` by their index, as blocks do for their transactions."""
    trie = Trie({}, EMPTY_ROOT)
    for index, value in enumerate(values):
        trie.put(rlp_encode(integer(index)), value)
    return trie.seal()[0]


class Trie:
    """One trie, read through ``nodes`` and changed in memory."""

    def __init__(self, nodes: Mapping[bytes, bytes], root: bytes) -> None:
        self._nodes: Final = nodes
        self._root: Decoded = b"" if root == EMPTY_ROOT else root
        self._sealed: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes:
        """Return the value of ``key``, or no bytes."""
        path = _path(key)
        reference: Decoded = self._root
        while reference:
            node = self._load(reference)
            if len(node) == _BRANCH:
                if not path:
                    return cast("bytes", node[_VALUE])
                reference, path = node[path[0]], path[1:]
                continue
            own, leaf = _unpack(cast("bytes", node[0]))
            if leaf:
                return cast("bytes", node[1]) if own == path else b""
            if not path.startswith(own):
                return b""
            reference, path = node[1], path[len(own) :]
        return b""

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of ``key``; no bytes delete it."""
        if value:
            self._root = self._put(self._root, _path(key), value)
        else:
            self._root = self._delete(self._root, _path(key))

    def seal(self) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the root of what is in memory now and the nodes that are new, by hash."""
        if not self._root:
            return EMPTY_ROOT, self._sealed
        if isinstance(self._root, list):
            encoded = rlp_encode([self._seal(part) for part in self._root])
            self._root = keccak(encoded)
            self._sealed[self._root] = encoded
        return self._root, self._sealed

    def _seal(self, reference: Decoded) -> Decoded:
        if isinstance(reference, bytes):
            return reference
        node = [self._seal(part) for part in reference]
        encoded = rlp_encode(node)
        if len(encoded) < HASH:
            return node
        hashed = keccak(encoded)
        self._sealed[hashed] = encoded
        return hashed

    def _load(self, reference: Decoded) -> _Node:
        if isinstance(reference, list):
            return reference
        encoded = self._sealed.get(reference) or self._nodes.get(reference)
        if encoded is None:
            raise MissingNodeError(reference)
        return cast("_Node", rlp_decode(encoded))

    def _put(self, reference: Decoded, path: bytes, value: bytes) -> _Node:
        if not reference:
            return [_pack(path, leaf=True), value]
        node = self._load(reference)
        if len(node) == _BRANCH:
            if path:
                node[path[0]] = self._put(node[path[0]], path[1:], value)
            else:
                node[_VALUE] = value
            return node
        return self._put_short(node, path, value)

    def _put_short(self, node: _Node, path: bytes, value: bytes) -> _Node:
        own, leaf = _unpack(cast("bytes", node[0]))
        shared = _shared(own, path)
        if shared == len(own) and not leaf:
            node[1] = self._put(node[1], path[shared:], value)
            return node
        if shared == len(own) == len(path):
            node[1] = value
            return node
        branch: _Node = [b""] * _BRANCH
        _hang(branch, own[shared:], node[1], leaf=leaf)
        _hang(branch, path[shared:], value, leaf=True)
        return [_pack(own[:shared], leaf=False), branch] if shared else branch

    def _delete(self, reference: Decoded, path: bytes) -> Decoded:
        if not reference:
            return b""
        node = self._load(reference)
        if len(node) == _BRANCH:
            if path:
                node[path[0]] = self._delete(node[path[0]], path[1:])
            else:
                node[_VALUE] = b""
            return self._shrunk(node)
        own, leaf = _unpack(cast("bytes", node[0]))
        below = not leaf and path.startswith(own)
        if below:
            return self._joined(own, self._delete(node[1], path[len(own) :]))
        return b"" if leaf and own == path else node

    def _shrunk(self, branch: _Node) -> Decoded:
        """Return ``branch``, or what remains of it where only one thing hangs on it."""
        filled = [index for index, part in enumerate(branch) if part]
        if len(filled) != 1:
            return branch if filled else b""
        if filled[0] == _VALUE:
            return [_pack(b"", leaf=True), branch[_VALUE]]
        return self._joined(bytes(filled), branch[filled[0]])

    def _joined(self, path: bytes, reference: Decoded) -> Decoded:
        """Return the node that leads along ``path`` to ``reference``, two short ones as one."""
        if not reference:
            return b""
        node = self._load(reference)
        if len(node) == _BRANCH:
            return [_pack(path, leaf=False), reference]
        own, leaf = _unpack(cast("bytes", node[0]))
        return [_pack(path + own, leaf=leaf), node[1]]


def _hang(branch: _Node, path: bytes, value: Decoded, *, leaf: bool) -> None:
    """Hang what lay below ``path`` on an empty place of ``branch``."""
    if not path:
        branch[_VALUE] = value
    elif leaf or len(path) > 1:
        branch[path[0]] = [_pack(path[1:], leaf=leaf), value]
    else:
        branch[path[0]] = value


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


def _pack(path: bytes, *, leaf: bool) -> bytes:
    """Return the hex-prefix encoding of ``path`` (Yellow Paper, appendix C)."""
    flag = _LEAF if leaf else 0
    if len(path) & 1:
        head, path = flag | _ODD | path[0], path[1:]
    else:
        head = flag
    pairs = zip(path[::2], path[1::2], strict=True)
    return bytes((head, *[high << 4 | low for high, low in pairs]))


def _unpack(packed: bytes) -> tuple[bytes, bool]:
    """Return the nibbles of a hex-prefix encoding and whether it is a leaf's."""
    nibbles = _path(packed)
    return nibbles[1 if packed[0] & _ODD else 2 :], bool(packed[0] & _LEAF)
