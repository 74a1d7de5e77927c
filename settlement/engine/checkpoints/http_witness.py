"""Reach a witness by HTTP (C2SP tlog-witness), with little patience."""

import threading
from time import monotonic_ns
from typing import Final

import httpx2

from ledger.errors import InvalidRequest, VoisinError
from ledger.proofs import (
    BadNoteError,
    Note,
    NoteKey,
    NoteUnsignedError,
    Signature,
    SignatureKind,
    parse_key,
    parse_signatures,
)
from ledger.proofs.checkpoints import parse_decimal, parse_head
from ledger.proofs.witness import HeldDiffersError, NotConsistentError, Submission

_TIMEOUT_S: Final = 2
_REST_NS: Final = 60_000_000_000
_ANSWER_BYTES_MAX: Final = 65_536
_SIZE_TYPE: Final = "text/x.tlog.size"
_OK, _CONFLICT, _NOT_CONSISTENT = 200, 409, 422


class WitnessSilentError(VoisinError):
    """A witness did not answer, or not as the protocol says; it is asked again later."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__("witness_silent", f"{name} {detail}", transient=True)


class BadWitnessSettingError(InvalidRequest):
    """The setting of witnesses is no list of addresses and keys."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_witness_setting", detail)


class _Asking(threading.Thread):
    """One request under way; whoever waits for it may stop waiting."""

    def __init__(self, client: httpx2.Client, url: str, body: bytes) -> None:
        super().__init__(name=f"witness {url}", daemon=True)
        self._client, self._url, self._body = client, url, body
        self.status = 0
        """Status of the answer, 0 as long as there is none."""
        self.content_type = ""
        """Its type."""
        self.text = ""
        """Its body, as far as one may be long."""
        self.fault = "does not answer in time"
        """Why there is no answer."""

    def run(self) -> None:
        """Ask."""
        content = bytearray()
        try:
            with self._client.stream("POST", self._url, content=self._body) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > _ANSWER_BYTES_MAX:
                        self.fault = "answers without an end"
                        return
                self.text, self.content_type = content.decode(), answer.headers["content-type"]
                self.status = answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeDecodeError, KeyError) as fault:
            self.fault = f"did not answer: {fault!r}"


class HttpWitness:
    """A witness at an address; after a silence it is left alone for a minute."""

    def __init__(self, url: str, key: NoteKey) -> None:
        self._url: Final = f"{url.rstrip('/')}/add-checkpoint"
        self._key: Final = key
        self._client: Final = httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False)
        self._rests_until_ns = 0
        self._asking: _Asking | None = None

    @property
    def key(self) -> NoteKey:
        """Key of its cosignatures."""
        return self._key

    def add_checkpoint(self, submission: Submission) -> Signature:
        """
        Return its cosignature under a checkpoint, checked.

        Raises
        ------
        HeldDiffersError
            If it holds another tree than the submission goes on from.
        NotConsistentError
            If it does not find the checkpoint to hold the tree that it cosigned.
        WitnessSilentError
            If it does not answer, or with anything else, or did not a moment ago.
        """
        busy = self._asking is not None and self._asking.is_alive()
        if busy or monotonic_ns() < self._rests_until_ns:
            raise WitnessSilentError(self._key.name, "did not answer a moment ago")
        # A thread of its own: an answer that drips in byte by byte must not hold up who asks.
        asking = self._asking = _Asking(self._client, self._url, submission.encoded())
        asking.start()
        asking.join(_TIMEOUT_S)
        try:
            return self._read(submission, asking)
        except WitnessSilentError:
            self._rests_until_ns = monotonic_ns() + _REST_NS
            raise

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _read(self, submission: Submission, asked: _Asking) -> Signature:
        head = parse_head(submission.note.text)
        if asked.is_alive() or asked.status == 0:
            raise WitnessSilentError(self._key.name, asked.fault)
        if asked.status == _OK:
            return self._checked(submission.note.text, asked.text)
        if asked.status == _NOT_CONSISTENT:
            raise NotConsistentError(head.origin, f"{self._key.name} says {asked.text.strip()}")
        if asked.status == _CONFLICT and asked.content_type == _SIZE_TYPE:
            held_size = self._held_size(asked.text)
            # With equal sizes the roots differ; otherwise it contradicts itself.
            if held_size != submission.old_size or held_size == head.size:
                raise HeldDiffersError(head.origin, held_size)
        raise WitnessSilentError(self._key.name, f"answers {asked.status} without a reason")

    def _checked(self, text: str, lines: str) -> Signature:
        try:
            return Note(text, parse_signatures(lines)).signed_by((self._key,))[0]
        except (BadNoteError, NoteUnsignedError) as fault:
            raise WitnessSilentError(self._key.name, f"says yes with: {fault}") from fault

    def _held_size(self, text: str) -> int:
        try:
            return parse_decimal(text.removesuffix("\n"))
        except BadNoteError as fault:
            raise WitnessSilentError(self._key.name, "holds no size") from fault


def parse_witnesses(setting: str) -> tuple[HttpWitness, ...]:
    """
    Return the witnesses of a setting: ``URL KEY`` each, separated by commas.

    Raises
    ------
    BadWitnessSettingError
        If it is not of that form, a key is none of cosignatures, or a name comes twice.
    """
    found = list[HttpWitness]()
    for one in filter(None, (part.strip() for part in setting.split(","))):
        url, _, encoded = one.partition(" ")
        try:
            key = parse_key(encoded.strip())
        except BadNoteError as fault:
            raise BadWitnessSettingError(str(fault)) from fault
        taken = key.name in {other.key.name for other in found}
        if key.kind is not SignatureKind.COSIGNATURE or taken or "://" not in url:
            raise BadWitnessSettingError(f"{one} is no address with a witness's own key")
        found.append(HttpWitness(url, key))
    return tuple(found)
