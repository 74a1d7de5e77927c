"""Typed data is hashed and signed as every wallet does it, or refused."""

import json
from importlib.resources import files

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys import keys as eth_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import (
    BadSignatureError,
    Domain,
    TypedDataError,
    address_of,
    address_of_public_key,
    digest,
    digest_of_words,
    encode_type,
    hash_struct,
    keccak,
    sign,
    signer_of,
    signing_key,
    type_hash,
    words_of,
)

TABLES = json.loads(files("contracts").joinpath("typed_data.json").read_text(encoding="utf-8"))
NAMES = sorted(TABLES)
EVERY_TYPE = pytest.mark.parametrize("name", NAMES)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
PRIVATE = (5).to_bytes(32)

plain_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)


def integers(kind):
    signed = kind.startswith("int")
    bits = int(kind.removeprefix("int" if signed else "uint"))
    return st.integers(*((-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)))


PLAIN = {
    "string": plain_texts,
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    "bytes32": st.binary(min_size=32, max_size=32),
}


def value_of(kind):
    """Values of a type as ``eth_account`` takes them."""
    if kind.endswith("[]"):
        return st.lists(value_of(kind[:-2]), max_size=8)
    if kind in TABLES:
        return st.fixed_dictionaries({name: value_of(inner) for inner, name in TABLES[kind]})
    return PLAIN[kind] if kind in PLAIN else integers(kind)


def message(name, values, domain=DOMAIN):
    used, pending = set(), [name]
    while pending:
        one = pending.pop()
        used.add(one)
        pending += [kind.removesuffix("[]") for kind, _ in TABLES[one] if kind[:-2] in TABLES]
    return encode_typed_data(
        {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        {one: [{"type": kind, "name": field} for kind, field in TABLES[one]] for one in used},
        values,
    )


def signed_hash(made):
    return keccak(b"\x19" + made.version + made.header + made.body)


def sample(name):
    """One plain value of a type."""
    plain = {"string": "tag", "address": "0x" + "ad" * 20, "bytes32": b"\x32" * 32, "bool": False}
    return {
        field: [sample(kind[:-2])] if kind.endswith("[]") else plain.get(kind, 7)
        for kind, field in TABLES[name]
    }


class TestEncodeType:
    @pytest.mark.parametrize("name", [name for name in NAMES if name != "Mandate"])
    def test_lists_the_fields_in_order(self, name):
        fields = ",".join(f"{kind} {field}" for kind, field in TABLES[name])
        assert encode_type(name) == f"{name}({fields})"

    def test_puts_the_types_that_are_used_behind(self):
        assert encode_type("Mandate") == (
            "Mandate(address member,Band[] bands,uint64 capMicros,uint64 validFrom,"
            "uint64 validUntil,uint64 nonce)"
            "Band(uint16 fromMinute,uint16 untilMinute,int32 sellNotBelow,int32 buyNotAbove)"
        )

    def test_of_the_domain_is_that_of_every_wallet(self):
        assert type_hash("EIP712Domain").hex() == (
            "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f"
        )

    def test_of_erc_3009_is_that_of_the_token(self):
        assert type_hash("ReceiveWithAuthorization").hex() == (
            "d099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8"
        )

    @pytest.mark.parametrize("name", ["", "reading", "Reading[]", "uint64"])
    def test_of_an_unknown_type_is_refused(self, name):
        with pytest.raises(TypedDataError, match="no typed data"):
            encode_type(name)


class TestHashStruct:
    @EVERY_TYPE
    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_is_what_another_implementation_computes(self, name, data):
        values = data.draw(value_of(name))
        assert hash_struct(name, values) == message(name, values).body

    @EVERY_TYPE
    def test_changes_with_every_field(self, name):
        whole = sample(name)
        others = {"string": "gat", "address": "0x" + "da" * 20, "bytes32": b"\x23" * 32}
        others["bool"] = True
        for kind, field in TABLES[name]:
            other = [] if kind.endswith("[]") else others.get(kind, 8)
            assert hash_struct(name, whole | {field: other}) != hash_struct(name, whole)

    @EVERY_TYPE
    def test_names_the_field_that_is_missing(self, name):
        for _, field in TABLES[name]:
            rest = {key: value for key, value in sample(name).items() if key != field}
            with pytest.raises(TypedDataError, match=rf"{name}\.{field} is missing"):
                hash_struct(name, rest)

    def test_takes_bytes_for_hexadecimal(self):
        whole = sample("Membership")
        raw = whole | {"member": bytes.fromhex("ad" * 20), "salt": "0x" + "32" * 32}
        assert hash_struct("Membership", raw) == hash_struct("Membership", whole)
        upper = whole | {"member": "0x" + "AD" * 20}
        assert hash_struct("Membership", upper) == hash_struct("Membership", whole)


INTEGERS = sorted(
    {
        (name, kind, field)
        for name in NAMES
        for kind, field in TABLES[name]
        if kind.startswith(("uint", "int"))
    }
)
FIXED = sorted(
    {
        (name, {"address": 20, "bytes32": 32}[kind], field)
        for name in NAMES
        for kind, field in TABLES[name]
        if kind in {"address", "bytes32"}
    }
)


def refuse(name, field, value):
    with pytest.raises(TypedDataError, match=rf"{name}\.{field}"):
        hash_struct(name, sample(name) | {field: value})


class TestValue:
    @pytest.mark.parametrize(("name", "kind", "field"), INTEGERS)
    def test_keeps_to_its_range(self, name, kind, field):
        signed = kind.startswith("int")
        bits = int(kind.removeprefix("int" if signed else "uint"))
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        for edge in (low, high):
            whole = sample(name) | {field: edge}
            assert hash_struct(name, whole) == message(name, whole).body
        for beyond in (low - 1, high + 1, -(2**300), 2**300):
            refuse(name, field, beyond)

    @pytest.mark.parametrize(("name", "kind", "field"), INTEGERS)
    @pytest.mark.parametrize("value", [None, True, False, "7", b"7", [7], {}])
    def test_of_a_number_is_a_number(self, name, kind, field, value):
        assert kind
        refuse(name, field, value)

    @pytest.mark.parametrize(("name", "size", "field"), FIXED)
    def test_of_fixed_bytes_has_their_length(self, name, size, field):
        for wrong in (0, 1, size - 1, size + 1, 2 * size):
            refuse(name, field, b"\x11" * wrong)
            refuse(name, field, "0x" + "11" * wrong)

    @pytest.mark.parametrize(("name", "size", "field"), FIXED)
    def test_of_fixed_bytes_is_bytes_or_hexadecimal(self, name, size, field):
        for wrong in (None, -1, "0x" + "g1" * size, "0x" + "1" * (2 * size - 1), "0x0x" + "1" * 38):
            refuse(name, field, wrong)

    @pytest.mark.parametrize("value", [None, 0, 1, "true", b"\1"])
    def test_of_a_truth_is_a_truth(self, value):
        refuse("Order", "solarOnly", value)

    @pytest.mark.parametrize("value", [None, 5, b"tag", ["tag"]])
    def test_of_a_text_is_a_text(self, value):
        refuse("SessionTerms", "idTag", value)

    @pytest.mark.parametrize("value", [None, 5])
    def test_of_a_list_is_a_list(self, value):
        refuse("Mandate", "bands", value)

    def test_within_a_list_is_checked_as_well(self):
        band = sample("Band")
        for wrong in (band | {"sellNotBelow": 2**31}, {"fromMinute": 0}):
            with pytest.raises(TypedDataError, match=r"Band\."):
                hash_struct("Mandate", sample("Mandate") | {"bands": [band, wrong]})


class TestDigest:
    @EVERY_TYPE
    @given(data=st.data())
    @settings(max_examples=15, deadline=None)
    def test_is_what_a_wallet_signs(self, name, data):
        domain = data.draw(
            st.builds(Domain, plain_texts, plain_texts, st.integers(0, 2**64), value_of("address"))
        )
        values = data.draw(value_of(name))
        assert digest(domain, name, values) == signed_hash(message(name, values, domain))

    def test_of_the_domain_alone_is_its_separator(self):
        assert DOMAIN.separator == message("Band", sample("Band")).header
        assert DOMAIN.separator != Domain("Voisin", "1", 1, DOMAIN.verifying_contract).separator

    def test_needs_a_contract_that_can_exist(self):
        with pytest.raises(TypedDataError):
            digest(Domain("Voisin", "1", 1, "0x12"), "Band", sample("Band"))


privates = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32))
digests = st.binary(min_size=32, max_size=32)


OF_WORDS = [
    name
    for name in NAMES
    if all(kind in {"uint8", "uint64", "bytes32"} for kind, _ in TABLES[name])
]


class TestDigestOfWords:
    @pytest.mark.parametrize("name", OF_WORDS)
    @given(st.data())
    @settings(max_examples=25, deadline=None)
    def test_is_the_digest_of_the_same_fields(self, name, data):
        values = data.draw(value_of(name))
        fields = [values[field] for _, field in TABLES[name]]
        words = words_of(name).pack(type_hash(name), *fields)
        assert digest_of_words(DOMAIN, words) == digest(DOMAIN, name, values)

    def test_knows_readings_whose_digests_are_asked_for_most(self):
        assert "Reading" in OF_WORDS

    @pytest.mark.parametrize("name", sorted(set(NAMES) - set(OF_WORDS)))
    def test_refuses_a_type_that_is_not_of_words_alone(self, name):
        with pytest.raises(TypedDataError):
            words_of(name)


class TestSign:
    @given(privates, digests)
    @settings(max_examples=60, deadline=None)
    def test_leads_back_to_the_signer(self, private, hashed):
        assert signer_of(hashed, sign(hashed, private)) == address_of(private)

    @given(privates, digests)
    @settings(max_examples=25, deadline=None)
    def test_gives_the_bytes_that_any_other_wallet_gives(self, private, hashed):
        theirs = eth_keys.PrivateKey(private).sign_msg_hash(hashed).to_bytes()
        assert sign(hashed, private) == theirs[:64] + bytes([theirs[64] + 27])

    @EVERY_TYPE
    def test_is_recovered_by_another_wallet_and_the_other_way_around(self, name):
        values, account = sample(name), Account.from_key(PRIVATE)
        made = message(name, values)
        hashed = digest(DOMAIN, name, values)
        assert Account.recover_message(made, signature=sign(hashed, PRIVATE)) == account.address
        theirs = account.sign_message(made).signature
        assert "0x" + signer_of(hashed, theirs).hex() == account.address.lower()

    def test_has_a_low_s(self):
        for n in range(1, 40):
            signature = sign(keccak(bytes([n])), PRIVATE)
            assert int.from_bytes(signature[32:64]) <= ORDER // 2


class TestSigningKey:
    @given(st.binary(min_size=32, max_size=32), st.integers(1, ORDER - 1))
    @settings(max_examples=25, deadline=None)
    def test_is_the_public_key_of_whoever_signed(self, said, secret):
        private = secret.to_bytes(32)
        expected = eth_keys.PrivateKey(private).public_key.to_bytes()
        assert signing_key(said, sign(said, private)) == expected


class TestSignerOf:
    HASHED = keccak(b"something")
    GOOD = sign(HASHED, PRIVATE)

    @given(digests)
    @settings(max_examples=30, deadline=None)
    def test_of_another_digest_is_another(self, hashed):
        try:
            found = signer_of(hashed, self.GOOD)
        except BadSignatureError:
            return
        assert (found == address_of(PRIVATE)) == (hashed == self.HASHED)

    def test_with_the_other_v_is_another(self):
        other = self.GOOD[:64] + bytes([27 + 28 - self.GOOD[64]])
        assert signer_of(self.HASHED, other) != address_of(PRIVATE)

    @pytest.mark.parametrize("length", [0, 1, 63, 64, 66, 130])
    def test_refuses_any_other_length(self, length):
        with pytest.raises(BadSignatureError, match="65 bytes"):
            signer_of(self.HASHED, (self.GOOD * 2)[:length])

    @pytest.mark.parametrize("v", [0, 1, 26, 29, 37, 255])
    def test_refuses_any_other_v(self, v):
        with pytest.raises(BadSignatureError, match="v 27 or 28"):
            signer_of(self.HASHED, self.GOOD[:64] + bytes([v]))

    @pytest.mark.parametrize("v", [27, 28])
    @pytest.mark.parametrize(
        ("r", "s"),
        [
            (None, 0),
            (0, None),
            (0, 0),
            (None, ORDER),
            (ORDER, None),
            (2**256 - 1, 2**256 - 1),
            (5, None),
        ],
    )
    def test_refuses_what_no_key_can_have_made(self, r, s, v):
        raw = self.GOOD[:32] if r is None else r.to_bytes(32)
        raw += self.GOOD[32:64] if s is None else s.to_bytes(32)
        with pytest.raises(BadSignatureError, match="no key"):
            signer_of(self.HASHED, raw + bytes([v]))


class TestAddress:
    @given(privates)
    @settings(max_examples=25, deadline=None)
    def test_is_that_of_other_wallets(self, private):
        public = eth_keys.PrivateKey(private).public_key
        assert address_of(private) == public.to_canonical_address()
        assert address_of_public_key(public.to_bytes()) == public.to_canonical_address()

    def test_of_the_first_key_is_known(self):
        assert address_of((1).to_bytes(32)).hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"

    def test_comes_from_keccak_and_not_from_the_later_sha3(self):
        assert keccak(b"").hex() == (
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        )


@pytest.mark.parametrize(
    "values",
    [
        {"member": 20, "capMicros": 1, "amountMicros": 1, "salt": bytes(32)},
        {"member": "0x" + "11" * 20, "capMicros": 1, "amountMicros": 1, "salt": [0] * 32},
        {"member": "0x" + "11" * 20, "capMicros": 1, "amountMicros": 1, "salt": "00 " * 32},
    ],
)
def test_what_only_looks_like_bytes_is_refused(values):
    with pytest.raises(TypedDataError):
        hash_struct("Membership", values)
