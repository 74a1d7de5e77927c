"""Members' orders as a wallet makes them: signed by ``eth_account`` alone."""

from eth_account import Account

NOBODY = "0x" + "00" * 20
FIELDS = {
    "Order": {
        "member": "address",
        "side": "uint8",
        "quantity": "uint8",
        "firstInterval": "uint64",
        "lastInterval": "uint64",
        "energyWh": "uint64",
        "limit": "int32",
        "partner": "address",
        "solarOnly": "bool",
        "expiresAt": "uint64",
        "replaces": "uint64",
        "nonce": "uint64",
    },
    "OrderCancel": {"member": "address", "cancels": "uint64", "nonce": "uint64"},
    "Delegation": {
        "member": "address",
        "delegate": "address",
        "validFrom": "uint64",
        "validUntil": "uint64",
        "nonce": "uint64",
    },
}
NAMES = {
    "firstInterval": "first_interval",
    "lastInterval": "last_interval",
    "energyWh": "energy_wh",
    "limit": "limit_micros_per_kwh",
    "solarOnly": "solar_only",
    "expiresAt": "expires_at_s",
    "validFrom": "valid_from_s",
    "validUntil": "valid_until_s",
}
PATHS = {
    "Order": "/api/orders",
    "OrderCancel": "/api/orders/cancel",
    "Delegation": "/api/delegations",
}


def signed(name, values, wallet, domain):
    """Return the body of a request; ``wallet`` signs."""
    made = Account.sign_typed_data(
        wallet.private_key,
        {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        {name: [{"name": field, "type": kind} for field, kind in FIELDS[name].items()]},
        values,
    )
    body = {NAMES.get(field, field): value for field, value in values.items()}
    return body | {"signature": "0x" + made.signature.hex()}


def sale(wallet, interval, **changes):
    """Return the values of a metered order to sell 1 kWh in one interval."""
    return {
        "member": wallet.address_hex,
        "side": 0,
        "quantity": 0,
        "firstInterval": interval,
        "lastInterval": interval,
        "energyWh": 1_000,
        "limit": 90_000,
        "partner": NOBODY,
        "solarOnly": False,
        "expiresAt": 2**40,
        "replaces": 0,
        "nonce": 1,
    } | changes


async def send(client, name, values, wallet, domain):
    """Send what ``wallet`` signed; return status and answer."""
    answer = await client.post(PATHS[name], json=signed(name, values, wallet, domain))
    return answer.status_code, answer.json()
