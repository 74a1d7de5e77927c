"""A checkpoint says the size and root of the log, and only its key can have said it."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs import (
    BadLogProofError,
    BadNoteError,
    Checkpoint,
    open_checkpoint,
    parse_head,
    sign_checkpoint,
)

ROOT = hashlib.sha256(b"forty entries").digest()


def flipped(node, at):
    return node[:at] + bytes([node[at] ^ 0x01]) + node[at + 1 :]


def refuses(check, *arguments):
    with pytest.raises(BadLogProofError) as caught:
        check(*arguments)
    assert caught.value.code == "bad_log_proof"


NAME = "voisin.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
HEAD = f"a\n1\n{base64.b64encode(ROOT).decode()}"
CHECKPOINT = Checkpoint(NAME, 40, ROOT, 1_557_100_800)
NOTE = sign_checkpoint(CHECKPOINT, NAME, KEY)


def opened(note, name=NAME, key=KEY):
    return open_checkpoint(note, name, key.public_key())


class TestCheckpoint:
    def test_is_a_note_of_these_lines(self):
        root = base64.b64encode(ROOT).decode()
        text, _, signature = NOTE.partition("\n\n")
        assert text == f"{NAME}\n40\n{root}\n1557100800"
        raw = base64.b64decode(signature.removeprefix(f"— {NAME} ").removesuffix("\n"))
        public = KEY.public_key().public_bytes_raw()
        assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x01" + public).digest()[:4]
        KEY.public_key().verify(raw[4:], f"{text}\n".encode())

    @given(
        st.integers(0, 2**63 - 1),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 2**40),
    )
    @settings(max_examples=30, deadline=None)
    def test_is_opened_as_it_was_signed(self, size, root, at_s):
        made = Checkpoint(NAME, size, root, at_s)
        assert opened(sign_checkpoint(made, NAME, KEY)) == made

    def test_is_opened_beside_the_signatures_of_others(self):
        witness = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
        line = sign_checkpoint(CHECKPOINT, "witness", witness).split("\n")[-2]
        head, tail = NOTE.split("\n\n")
        note = f"{head}\n\n{line}\n{tail}"
        assert opened(note) == opened(note, "witness", witness) == CHECKPOINT

    def test_with_any_character_of_its_text_changed_is_refused(self):
        length = NOTE.index("\n\n") + 2
        for at in range(length):
            altered = NOTE[:at] + chr(ord(NOTE[at]) ^ 1) + NOTE[at + 1 :]
            refuses(opened, altered)

    def test_with_any_byte_of_its_signature_changed_is_refused(self):
        head, line = NOTE.split(f"\n\n— {NAME} ")
        raw = base64.b64decode(line)
        assert len(raw) == 68
        for at in range(len(raw)):
            encoded = base64.b64encode(flipped(raw, at)).decode()
            refuses(opened, f"{head}\n\n— {NAME} {encoded}\n")

    def test_of_another_key_or_another_name_is_refused(self):
        other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
        refuses(opened, NOTE, NAME, other)
        refuses(opened, NOTE, "witness")
        forged = sign_checkpoint(CHECKPOINT, NAME, other)
        refuses(opened, forged)

    def test_with_the_line_of_one_name_under_another_is_refused(self):
        """The key id commits to the name, so that a line cannot be passed off as a witness's."""
        refuses(opened, NOTE.replace(f"— {NAME} ", "— witness "), "witness")

    @pytest.mark.parametrize(
        "note",
        ["", "\n\n", NOTE.partition("\n\n")[0], NOTE.replace("— ", "- "), f"a\n\n— {NAME} %%%\n"],
    )
    def test_that_nobody_signed_is_refused(self, note):
        refuses(opened, note)

    @pytest.mark.parametrize("text", ["one line", "a\nb\nc", HEAD, f"{HEAD}\n1\nmore"])
    def test_of_another_number_of_lines_is_none(self, text):
        public = KEY.public_key().public_bytes_raw()
        key_id = hashlib.sha256(NAME.encode() + b"\n\x01" + public).digest()[:4]
        encoded = base64.b64encode(key_id + KEY.sign(f"{text}\n".encode())).decode()
        refuses(opened, f"{text}\n\n— {NAME} {encoded}\n")

    @pytest.mark.parametrize("size", ["01", "+1", " 1", "1_0", "-1", "", "٣", str(2**63), "1" * 30])
    def test_of_a_size_that_is_no_plain_number_is_refused(self, size):
        root = base64.b64encode(ROOT).decode()
        with pytest.raises(BadNoteError) as caught:
            parse_head(f"{NAME}\n{size}\n{root}\n")
        assert caught.value.code == "bad_note"

    @pytest.mark.parametrize("root", ["", "AA==", base64.b64encode(ROOT + b"1").decode(), "%"])
    def test_of_a_root_that_is_no_hash_is_refused(self, root):
        with pytest.raises(BadNoteError):
            parse_head(f"{NAME}\n1\n{root}\n")

    def test_of_another_log_may_have_any_extension_but_an_empty_one(self):
        root = base64.b64encode(ROOT).decode()
        text = f"example.com/log\n7\n{root}\n"
        assert parse_head(text).extensions == ()
        assert parse_head(f"{text}a\nb\n").extensions == ("a", "b")
        for wrong in (f"{text}\n", f"{text}a\n\nb\n", text[:-1], f"\n7\n{root}\n"):
            with pytest.raises(BadNoteError):
                parse_head(wrong)

    def test_that_no_encoding_holds_is_refused(self):
        refuses(opened, f"{NOTE}\ud800")
