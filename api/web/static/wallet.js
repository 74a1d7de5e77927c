// The driver's wallet: one that the browser has (EIP-1193), or one made here and kept here.

import { addressOf, digest, DOMAIN, fromHex, textDigest, toHex } from "./eip712.js";
import { hmac } from "./vendor/noble-hashes/hmac.js";
import { sha256 } from "./vendor/noble-hashes/sha2.js";
import * as secp from "./vendor/noble-secp256k1/index.js";

const KEPT = "voisin.wallet";
const CHOSEN = "voisin.wallet.injected";

secp.hashes.sha256 = sha256;
secp.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);

const typed = (fields) => fields.map(([type, name]) => ({ name, type }));

export function signWith(key, hash) {
  const signed = secp.sign(hash, key, { format: "recovered", prehash: false });
  const v = (27 + signed[0]).toString(16);
  return `${toHex(signed.slice(1))}${v}`;
}

function madeHere(key) {
  return {
    address: addressOf(secp.getPublicKey(key, false)),
    made: true,
    signTyped: async (domain, name, fields, values) =>
      signWith(key, digest(domain, name, fields, values)),
    signText: async (text) => signWith(key, textDigest(text)),
  };
}

function injected(address) {
  const ask = (method, params) => window.ethereum.request({ method, params });
  return {
    address,
    made: false,
    signTyped: async (domain, name, fields, values) => {
      const chainId = `0x${domain.chainId.toString(16)}`;
      if ((await ask("eth_chainId")) !== chainId) {
        await ask("wallet_switchEthereumChain", [{ chainId }]);
      }
      const types = { EIP712Domain: typed(DOMAIN), [name]: typed(fields) };
      const asked = { types, primaryType: name, domain, message: values };
      return (await ask("eth_signTypedData_v4", [address, JSON.stringify(asked)])).toLowerCase();
    },
    signText: async (text) => {
      const hex = toHex(new TextEncoder().encode(text));
      return (await ask("personal_sign", [hex, address])).toLowerCase();
    },
  };
}

export const hasInjected = () => typeof window.ethereum?.request === "function";

export function make() {
  const key = secp.utils.randomSecretKey();
  localStorage.setItem(KEPT, toHex(key));
  localStorage.removeItem(CHOSEN);
  return madeHere(key);
}

export async function connect() {
  const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
  localStorage.setItem(CHOSEN, "yes");
  return injected(address.toLowerCase());
}

// The wallet used last in this browser, if there is one; asks nobody.
export async function remembered() {
  if (localStorage.getItem(CHOSEN) && hasInjected()) {
    const [address] = await window.ethereum.request({ method: "eth_accounts" });
    if (address) return injected(address.toLowerCase());
  }
  const kept = localStorage.getItem(KEPT);
  return kept ? madeHere(fromHex(kept)) : null;
}
