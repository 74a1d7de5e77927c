"""A note holds what its keys signed, byte for byte, and everything else is refused."""

import base64
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.proofs import (
    BadNoteError,
    Note,
    NoteKey,
    NoteUnsignedError,
    Signature,
    SignatureKind,
    cosign,
    parse_key,
    parse_note,
    parse_signatures,
    sign,
)

LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
TEXT = "voisin/street\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n1557100800\n"
AT_S = 1_679_315_147
LOG_KEY = NoteKey("voisin/street", LOG.public_key())
WITNESS_KEY = NoteKey("grid.example/w1", WITNESS.public_key(), SignatureKind.COSIGNATURE)


def by_hand(kind, name, key, signature):
    """A signature line from the words of the specification and the standard library alone."""
    raw = key.public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\x0a" + bytes([kind]) + raw).digest()[:4]
    return b"\xe2\x80\x94 " + name.encode() + b" " + base64.b64encode(key_id + signature) + b"\n"


SIGNED_BY_HAND = by_hand(1, "voisin/street", LOG, LOG.sign(TEXT.encode()))
COSIGNED_BY_HAND = by_hand(
    4,
    "grid.example/w1",
    WITNESS,
    struct.pack(">Q", AT_S)
    + WITNESS.sign(b"cosignature/v1\ntime 1679315147\n" + TEXT.encode("ascii")),
)
NOTE = TEXT.encode() + b"\n" + SIGNED_BY_HAND + COSIGNED_BY_HAND


def bad(raw):
    with pytest.raises(BadNoteError) as caught:
        parse_note(raw)
    assert caught.value.code == "bad_note"


def unsigned(note, *keys):
    with pytest.raises(NoteUnsignedError) as caught:
        note.signed_by(keys)
    assert caught.value.code == "note_unsigned"


class TestNote:
    def test_is_made_as_by_hand(self):
        assert sign(TEXT, "voisin/street", LOG).line().encode() == SIGNED_BY_HAND
        cosignature = cosign(TEXT, "grid.example/w1", WITNESS, at_s=AT_S)
        assert cosignature.line().encode() == COSIGNED_BY_HAND
        assert cosignature.time_s == AT_S
        made = Note(TEXT, (sign(TEXT, "voisin/street", LOG), cosignature))
        assert made.encoded().encode() == NOTE

    def test_is_read_as_by_hand(self):
        note = parse_note(NOTE)
        assert note.text == TEXT
        log, witness = note.signatures
        assert note.signed_by((LOG_KEY,)) == (log,)
        assert note.signed_by((WITNESS_KEY,)) == (witness,)
        assert note.signed_by((WITNESS_KEY, LOG_KEY)) == (log, witness)

    def test_is_read_with_the_example_of_the_specification(self):
        """C2SP tlog-cosignature: id and instant of the lines, whose keys are not published."""
        note = parse_note(
            "example.com/behind-the-sofa\n20852163\n"
            "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
            "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
            "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
            "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dl"
            "rDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n".encode()
        )
        log, witness = note.signatures
        assert (log.name, log.key_id.hex()) == ("example.com/behind-the-sofa", "033de0ae")
        assert (len(log.body), len(witness.body)) == (64, 72)
        assert witness.time_s == AT_S

    def test_may_have_empty_lines_and_any_language_in_its_text(self):
        text = "Aujourd'hui\n\n\n太陽光 ☀\n"
        note = Note(text, (sign(text, "a", LOG),))
        assert parse_note(note.encoded().encode()) == note
        assert note.signed_by((NoteKey("a", LOG.public_key()),)) == note.signatures

    def test_passes_over_signatures_of_keys_it_does_not_know(self):
        stranger = Signature("voisin/street", b"\0\0\0\0", b"x")
        same_id = Signature("somebody", LOG_KEY.key_id, b"x")
        own = sign(TEXT, "voisin/street", LOG)
        note = Note(TEXT, (stranger, same_id, own))
        assert note.signed_by((LOG_KEY,)) == (own,)
        unsigned(Note(TEXT, (stranger, same_id)), LOG_KEY)

    def test_with_one_forged_line_under_a_trusted_key_is_refused_whole(self):
        own = sign(TEXT, "voisin/street", LOG)
        forged = Signature(own.name, own.key_id, OTHER.sign(TEXT.encode()))
        unsigned(Note(TEXT, (own, forged)), LOG_KEY)

    def test_of_one_kind_is_none_of_the_other(self):
        """A witness's key signs nothing but cosignatures, and its lines pass for nothing else."""
        plain = NoteKey("grid.example/w1", WITNESS.public_key())
        note = parse_note(NOTE)
        unsigned(note, plain)
        cosignature = note.signatures[1]
        unsigned(Note(TEXT, (Signature(plain.name, plain.key_id, cosignature.body),)), plain)
        bare = Signature(WITNESS_KEY.name, WITNESS_KEY.key_id, WITNESS.sign(TEXT.encode()))
        unsigned(Note(TEXT, (bare,)), WITNESS_KEY)

    def test_of_another_instant_is_refused(self):
        own = cosign(TEXT, WITNESS_KEY.name, WITNESS, at_s=AT_S)
        later = struct.pack(">Q", AT_S + 1) + own.body[8:]
        unsigned(Note(TEXT, (Signature(own.name, own.key_id, later),)), WITNESS_KEY)
        beyond = cosign(TEXT, WITNESS_KEY.name, WITNESS, at_s=2**63)
        unsigned(Note(TEXT, (beyond,)), WITNESS_KEY)

    def test_with_any_bit_changed_is_refused_or_no_note(self):
        keys = (LOG_KEY, WITNESS_KEY)
        for at in range(len(NOTE)):
            for bit in range(8):
                altered = NOTE[:at] + bytes([NOTE[at] ^ 1 << bit]) + NOTE[at + 1 :]
                try:
                    found = parse_note(altered).signed_by(keys)
                except (BadNoteError, NoteUnsignedError):
                    continue
                # One of two lines fell to a key that nobody knows; the other still holds.
                assert len(found) == 1
                assert parse_note(altered).text == TEXT


class TestForm:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\n",
            b"\n\n",
            TEXT.encode(),
            TEXT.encode() + b"\n",
            NOTE[:-1],
            NOTE + b"\n",
            NOTE.replace(b"\n\n", b"\n"),
            NOTE + b"\n" + SIGNED_BY_HAND[:-1],
            NOTE.replace("—".encode(), b"-"),
            NOTE.replace("— ".encode(), "—".encode()),
            NOTE.replace("— ".encode(), "—  ".encode()),
            NOTE.replace(b"=\n", b"= \n"),
            NOTE.replace(b"7\n", b"7\r\n"),
            NOTE.replace(b"7\n", b"7\t\n"),
            NOTE.replace(b"7\n", b"7\0\n"),
            NOTE.replace(b"voisin", b"vois\xefn"),
            NOTE.replace(b"voisin", b"vois\xed\xa0\x80n"),
            NOTE + b"stray\n",
            NOTE + "— name\n".encode(),
            NOTE + "— name \n".encode(),
            NOTE + "— name AAAA\n".encode(),
            NOTE + "— name AAAAAA\n".encode(),
            NOTE + "— name AAAAAB==\n".encode(),
            NOTE + "— name AAAA-_==\n".encode(),
            NOTE + "— na+me AAAAAAA=\n".encode(),
            NOTE + "—  AAAAAAA=\n".encode(),
            NOTE + "— na\u00a0me AAAAAAA=\n".encode(),
            NOTE + "— na\u2028me AAAAAAA=\n".encode(),
            NOTE + SIGNED_BY_HAND * 99,
            b"a" * 1_000_000 + NOTE,
        ],
    )
    def test_other_than_the_specification_s_is_refused(self, raw):
        bad(raw)

    def test_of_sixteen_signatures_is_taken(self):
        assert len(parse_note(NOTE + SIGNED_BY_HAND * 98).signatures) == 100

    def test_of_the_largest_size_is_taken(self):
        filler = 1_000_000 - len(NOTE)
        assert parse_note(b"a" * filler + NOTE).text == "a" * filler + TEXT
        bad(b"a" * (filler + 1) + NOTE)

    @given(st.binary(max_size=200))
    @settings(max_examples=300, deadline=None)
    @example(NOTE)
    def test_that_is_taken_is_written_the_same(self, raw):
        try:
            note = parse_note(raw)
        except BadNoteError:
            return
        assert note.encoded().encode() == raw

    @given(st.text("a\n— +=A ", max_size=40))
    @settings(max_examples=500, deadline=None)
    def test_that_looks_like_a_note_is_written_the_same_or_refused(self, tail):
        try:
            note = parse_note(f"a\n\n{tail}".encode())
        except BadNoteError:
            return
        assert note.encoded() == f"a\n\n{tail}"

    def test_of_lines_alone_is_that_of_a_notes_end(self):
        assert parse_signatures(COSIGNED_BY_HAND.decode()) == parse_note(NOTE).signatures[1:]
        with pytest.raises(BadNoteError):
            parse_signatures("")


class TestKey:
    @pytest.mark.parametrize("key", [LOG_KEY, WITNESS_KEY])
    def test_is_read_as_it_was_written(self, key):
        found = parse_key(key.encoded())
        assert (found.name, found.kind, found.key_id) == (key.name, key.kind, key.key_id)
        assert found.key.public_bytes_raw() == key.key.public_bytes_raw()

    def test_is_written_as_by_hand(self):
        raw = WITNESS.public_key().public_bytes_raw()
        key_id = hashlib.sha256(b"grid.example/w1\n\x04" + raw).hexdigest()[:8]
        encoded = base64.b64encode(b"\x04" + raw).decode()
        assert WITNESS_KEY.encoded() == f"grid.example/w1+{key_id}+{encoded}"

    @pytest.mark.parametrize(
        "encoded",
        [
            "",
            "name",
            "name+00000000+AA==",
            LOG_KEY.encoded().replace("voisin", "voisine"),
            LOG_KEY.encoded().replace("+AW1", "+AW2"),
            LOG_KEY.encoded() + "=",
            LOG_KEY.encoded().removeprefix("voisin/street"),
            LOG_KEY.encoded().replace("/street", " street"),
            f"a+00000000+{base64.b64encode(bytes([2]) + b'k' * 32).decode()}",
            f"{LOG_KEY.name}+{LOG_KEY.key_id.hex().upper()}+{LOG_KEY.encoded().split('+', 2)[2]}",
        ],
    )
    def test_of_another_form_is_refused(self, encoded):
        with pytest.raises(BadNoteError):
            parse_key(encoded)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u3000b", "a\tb", "a\x1fb"])
    def test_of_an_odd_name_signs_nothing(self, name):
        with pytest.raises(BadNoteError):
            sign(TEXT, name, LOG)
        with pytest.raises(BadNoteError):
            cosign(TEXT, name, WITNESS, at_s=AT_S)
