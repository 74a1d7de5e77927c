"""The settlement token: six decimals, money made by minters alone, and payment by signature."""

import pytest
from eth_account import Account

from contracts.typed_data import Domain, keccak
from tests.contracts.support import CHAIN_ID, FAR_S, FUNDS, NOBODY, START_S

MINTER = keccak(b"MINTER_ROLE")
NONCE = b"\x09" * 32
FIELDS = {
    "EIP712Domain": "string name,string version,uint256 chainId,address verifyingContract",
    "ReceiveWithAuthorization": "address from,address to,uint256 value,"
    "uint256 validAfter,uint256 validBefore,bytes32 nonce",
    "TransferWithAuthorization": "address from,address to,uint256 value,"
    "uint256 validAfter,uint256 validBefore,bytes32 nonce",
    "CancelAuthorization": "address authorizer,bytes32 nonce",
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
}


def signed(world, wallet, kind, message):
    """Sign typed data of the token with eth-account; return v, r, s."""
    types = {
        name: [dict(zip(("type", "name"), one.split(), strict=True)) for one in text.split(",")]
        for name, text in FIELDS.items()
        if name in {"EIP712Domain", kind}
    }
    full = {
        "types": types,
        "primaryType": kind,
        "domain": {
            "name": "Energy Euro",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": world.token.address,
        },
        "message": message,
    }
    done = Account.sign_typed_data(wallet.private_key, full_message=full)
    return done.v, done.r.to_bytes(32), done.s.to_bytes(32)


def authorized(world, kind="TransferWithAuthorization", *, signer=None, **changes):
    """Return the arguments of a payment of 500 micros from the first driver to the second."""
    payer, payee, *_ = world.drivers
    message = {
        "from": payer.address_hex,
        "to": payee.address_hex,
        "value": 500,
        "validAfter": START_S,
        "validBefore": FAR_S,
        "nonce": NONCE,
    } | changes
    return (*message.values(), *signed(world, signer or payer, kind, message))


class TestToken:
    def test_counts_in_millionths_of_a_euro(self, world, fork):
        assert fork.get(world.token, "decimals") == 6
        assert fork.get(world.token, "symbol") == "EEUR"

    def test_has_the_domain_that_the_service_signs_under(self, world, fork):
        domain = Domain("Energy Euro", "1", CHAIN_ID, world.token.address)
        assert fork.get(world.token, "DOMAIN_SEPARATOR") == "0x" + domain.separator.hex()
        assert domain == world.places.token_domain

    def test_moves_by_its_holders_hand_alone(self, world, fork):
        holder, other, *_ = world.drivers
        fork.ok(holder, world.token, "transfer", other.address, 10)
        assert fork.token(other) == FUNDS + 10
        stolen = fork.send(NOBODY, world.token, "transferFrom", holder.address, NOBODY, 1)
        assert stolen.error == "ERC20InsufficientAllowance"


class TestMinting:
    def test_makes_money_for_its_holder(self, world, fork):
        supply = fork.get(world.token, "totalSupply")
        fork.ok(world.owner, world.token, "mint", NOBODY, 77)
        assert fork.token(NOBODY) == 77
        assert fork.get(world.token, "totalSupply") == supply + 77

    @pytest.mark.parametrize(
        ("function", "arguments"), [("mint", (NOBODY, 1)), ("mintBatch", ([], []))]
    )
    def test_is_the_minters_alone(self, world, fork, function, arguments):
        for stranger in (NOBODY, world.drivers[0].address):
            result = fork.send(stranger, world.token, function, *arguments)
            assert result.error == "AccessControlUnauthorizedAccount"
            assert result.arguments == {
                "account": "0x" + stranger.hex(),
                "neededRole": "0x" + MINTER.hex(),
            }

    def test_is_given_and_taken_back_by_the_administrator(self, world, fork):
        fork.ok(world.owner, world.token, "grantRole", MINTER, NOBODY)
        fork.ok(NOBODY, world.token, "mint", NOBODY, 1)
        fork.ok(world.owner, world.token, "revokeRole", MINTER, NOBODY)
        assert fork.send(NOBODY, world.token, "mint", NOBODY, 1).error is not None
        self_made = fork.send(NOBODY, world.token, "grantRole", MINTER, NOBODY)
        assert self_made.error == "AccessControlUnauthorizedAccount"

    def test_in_a_batch_is_the_same_as_one_by_one(self, world, fork):
        holders = [bytes([n]) * 20 for n in (1, 2, 3, 1)]
        fork.ok(world.owner, world.token, "mintBatch", holders, [5, 0, 7, 11])
        assert [fork.token(one) for one in holders[:3]] == [16, 0, 7]

    @pytest.mark.parametrize(("holders", "amounts"), [(2, 1), (1, 2), (0, 1), (1, 0)])
    def test_in_a_batch_needs_an_amount_for_each_holder(self, world, fork, holders, amounts):
        lists = ([NOBODY] * holders, [1] * amounts)
        result = fork.send(world.owner, world.token, "mintBatch", *lists)
        assert result.error == "EnergyEuro_LengthsDiffer"
        assert result.arguments == {"holders": holders, "amounts": amounts}


class TestAuthorization:
    def test_moves_exactly_what_was_signed_once(self, world, fork):
        payer, payee, *_ = world.drivers
        arguments = authorized(world)
        fork.ok(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert (fork.token(payer), fork.token(payee)) == (FUNDS - 500, FUNDS + 500)
        again = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert again.error == "ERC3009UsedAuthorization"
        assert again.arguments == {"authorizer": payer.address_hex, "nonce": "0x" + NONCE.hex()}

    def test_to_receive_is_used_by_the_payee_alone(self, world, fork):
        arguments = authorized(world, "ReceiveWithAuthorization")
        refused = fork.send(NOBODY, world.token, "receiveWithAuthorization", *arguments)
        assert refused.error == "ERC20InvalidReceiver"
        fork.ok(world.drivers[1], world.token, "receiveWithAuthorization", *arguments)
        assert fork.token(world.drivers[1]) == FUNDS + 500

    def test_to_receive_is_none_to_transfer(self, world, fork):
        arguments = authorized(world, "ReceiveWithAuthorization")
        result = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert result.error == "ERC3009InvalidSignature"

    def test_shares_its_nonce_between_both_ways(self, world, fork):
        fork.ok(NOBODY, world.token, "transferWithAuthorization", *authorized(world))
        second = authorized(world, "ReceiveWithAuthorization")
        result = fork.send(world.drivers[1], world.token, "receiveWithAuthorization", *second)
        assert result.error == "ERC3009UsedAuthorization"

    def test_counts_strictly_between_its_two_instants(self, world):
        arguments = authorized(world, validAfter=START_S + 10, validBefore=START_S + 12)
        for now_s, error in (
            (START_S + 10, "ERC3009InvalidAuthorizationTime"),
            (START_S + 11, None),
            (START_S + 12, "ERC3009InvalidAuthorizationTime"),
        ):
            result = world.fork(now_s).send(
                NOBODY, world.token, "transferWithAuthorization", *arguments
            )
            assert result.error == error

    def test_of_somebody_else_is_refused(self, world, fork):
        arguments = authorized(world, signer=world.drivers[2])
        result = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert result.error == "ERC3009InvalidSignature"

    @pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5])
    def test_with_anything_changed_is_refused(self, world, fork, index):
        arguments = list(authorized(world))
        changed = [world.drivers[2].address, NOBODY, 501, START_S - 1, FAR_S + 1, b"\x08" * 32]
        arguments[index] = changed[index]
        result = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert result.error == "ERC3009InvalidSignature"

    def test_cancelled_by_its_signer_moves_nothing(self, world, fork):
        payer = world.drivers[0]
        message = {"authorizer": payer.address_hex, "nonce": NONCE}
        foreign = signed(world, world.drivers[2], "CancelAuthorization", message)
        refused = fork.send(NOBODY, world.token, "cancelAuthorization", *message.values(), *foreign)
        assert refused.error == "ERC3009InvalidSignature"
        own = signed(world, payer, "CancelAuthorization", message)
        fork.ok(NOBODY, world.token, "cancelAuthorization", *message.values(), *own)
        result = fork.send(NOBODY, world.token, "transferWithAuthorization", *authorized(world))
        assert result.error == "ERC3009UsedAuthorization"

    def test_of_more_than_is_there_is_refused_and_stays_good(self, world, fork):
        arguments = authorized(world, value=FUNDS + 1)
        result = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert result.error == "ERC20InsufficientBalance"
        fork.ok(world.owner, world.token, "mint", world.drivers[0].address, 1)
        fork.ok(NOBODY, world.token, "transferWithAuthorization", *arguments)


class TestPermit:
    def test_lets_a_spender_take_its_amount_once(self, world, fork):
        owner = world.drivers[0]
        message = {
            "owner": owner.address_hex,
            "spender": "0x" + NOBODY.hex(),
            "value": 9,
            "nonce": 0,
            "deadline": FAR_S,
        }
        v, r, s = signed(world, owner, "Permit", message)
        arguments = (owner.address, NOBODY, 9, FAR_S, v, r, s)
        fork.ok(NOBODY, world.token, "permit", *arguments)
        fork.ok(NOBODY, world.token, "transferFrom", owner.address, NOBODY, 9)
        assert fork.token(NOBODY) == 9
        assert fork.send(NOBODY, world.token, "permit", *arguments).error == "ERC2612InvalidSigner"
