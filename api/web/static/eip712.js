// Hash what a driver signs (EIP-712), so that nobody has to believe a quote's own hash.

import { keccak_256 } from "./vendor/noble-hashes/sha3.js";

const utf8 = new TextEncoder();

export const TERMS = [
  ["address", "driver"],
  ["uint32", "purse"],
  ["address", "operator"],
  ["bytes32", "meterId"],
  ["string", "idTag"],
  ["uint64", "priceMicrosPerKwh"],
  ["uint64", "flatMicros"],
  ["uint64", "depositMicros"],
  ["bytes32", "tariffFingerprint"],
  ["uint64", "deadline"],
  ["bytes32", "salt"],
];
export const TOP_UP = [
  ["bytes32", "sessionId"],
  ["uint64", "depositMicros"],
  ["uint64", "amountMicros"],
];
export const AUTHORIZATION = [
  ["address", "from"],
  ["address", "to"],
  ["uint256", "value"],
  ["uint256", "validAfter"],
  ["uint256", "validBefore"],
  ["bytes32", "nonce"],
];
export const DOMAIN = [
  ["string", "name"],
  ["string", "version"],
  ["uint256", "chainId"],
  ["address", "verifyingContract"],
];

// Leave for the vault to take a deposit: one ERC-3009 authorization, named for what it is for.
export const leaveFor = (offer, driver, amount, nonce) => ({
  from: driver,
  to: offer.vault,
  value: String(amount),
  validAfter: String(offer.valid_after),
  validBefore: String(offer.valid_before),
  nonce,
});

export const tokenOf = (places) => ({
  name: places.token_name,
  version: places.token_version,
  chainId: places.chain_id,
  verifyingContract: places.token,
});

export const toHex = (bytes) =>
  `0x${[...bytes].map((one) => one.toString(16).padStart(2, "0")).join("")}`;

export const fromHex = (text) =>
  Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

function word(kind, value) {
  if (kind === "string") return keccak_256(utf8.encode(value));
  const number = kind === "address" || kind === "bytes32" ? BigInt(value.toLowerCase()) : BigInt(value);
  return fromHex(`0x${number.toString(16).padStart(64, "0")}`);
}

export function hashStruct(name, fields, values) {
  const type = `${name}(${fields.map(([kind, field]) => `${kind} ${field}`).join(",")})`;
  const words = fields.map(([kind, field]) => word(kind, values[field]));
  return keccak_256(joined([keccak_256(utf8.encode(type)), ...words]));
}

export function digest(domain, name, fields, values) {
  const separator = hashStruct("EIP712Domain", DOMAIN, domain);
  const inner = hashStruct(name, fields, values);
  return keccak_256(joined([Uint8Array.of(0x19, 0x01), separator, inner]));
}

// What a wallet signs of a plain text (EIP-191, personal_sign).
export function textDigest(text) {
  const bytes = utf8.encode(text);
  const prefix = utf8.encode(`\u0019Ethereum Signed Message:\n${bytes.length}`);
  return keccak_256(joined([prefix, bytes]));
}

export const addressOf = (publicKey) => toHex(keccak_256(publicKey.slice(1)).slice(-20));
