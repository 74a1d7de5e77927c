// Check in a browser, or in Node, that an entry is in the log: with the log's key and nothing else.
//
//   const { checkEntry } = await import("/static/proof.js");
//   await checkEntry(await (await fetch("/log/proof/3")).json(), logKey, [witnessKey]);
//
// Whatever does not hold throws. ledger/proofs does the same in Python.

const HASH_BYTES = 32;
const ED25519 = 1;
const COSIGNATURE = 4;
const utf8 = new TextEncoder();

function refuse(why) {
  throw new Error(why);
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const same = (one, other) =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

function fromBase64(encoded) {
  const text = atob(encoded);
  if (btoa(text) !== encoded) refuse("base64 of another form");
  return Uint8Array.from(text, (one) => one.charCodeAt(0));
}

export function fromHex(encoded) {
  if (!/^0x([0-9a-f]{2})*$/.test(encoded)) refuse("hexadecimal digits of another form");
  return Uint8Array.from(encoded.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const node = (left, right) => sha256(join(Uint8Array.of(1), left, right));

// RFC 9162, 2.1.3.2.
export async function checkInclusion(root, size, index, leaf, proof) {
  if (![root, leaf, ...proof].every((hash) => hash.length === HASH_BYTES)) refuse("no hash");
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) refuse("no such entry");
  let place = BigInt(index);
  let last = BigInt(size) - 1n;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0n) refuse("the proof is too long");
    if (place & 1n || place === last) {
      hash = await node(sibling, hash);
      while (!(place & 1n) && place) {
        place >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    place >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n || !same(hash, root)) refuse("the proof does not lead to the root");
}

// A key in one line, name+id+key (C2SP signed-note).
export async function parseKey(encoded) {
  const [name, id, ...rest] = encoded.split("+");
  const raw = fromBase64(rest.join("+"));
  if (raw.length !== 1 + HASH_BYTES || ![ED25519, COSIGNATURE].includes(raw[0])) refuse("no key");
  const own = (await sha256(join(utf8.encode(`${name}\n`), raw))).slice(0, 4);
  const hex = Array.from(own, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (id !== hex) refuse("a key with the id of another");
  const key = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, [
    "verify",
  ]);
  return { name, id: own, kind: raw[0], key };
}

async function holds(key, text, body) {
  if (key.kind === ED25519) {
    return crypto.subtle.verify({ name: "Ed25519" }, key.key, body, utf8.encode(text));
  }
  const time = new DataView(body.buffer, body.byteOffset).getBigUint64(0);
  const message = utf8.encode(`cosignature/v1\ntime ${time}\n${text}`);
  return crypto.subtle.verify({ name: "Ed25519" }, key.key, body.slice(8), message);
}

// Origin, size and root of a checkpoint that every one of `keys` signed (C2SP tlog-checkpoint).
export async function openCheckpoint(note, keys) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) refuse("no note");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split("\n");
  for (const key of keys) {
    let signed = false;
    for (const line of lines) {
      const [dash, name, encoded, ...more] = line.split(" ");
      if (dash !== "—" || more.length || !encoded) refuse("no signature line");
      const raw = fromBase64(encoded);
      if (name !== key.name || !same(raw.slice(0, 4), key.id)) continue;
      if (!(await holds(key, text, raw.slice(4)))) refuse(`not signed by ${name}`);
      signed = true;
    }
    if (!signed) refuse(`no signature of ${key.name}`);
  }
  const [origin, size, root] = text.split("\n");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size)) refuse("no size");
  return { origin, size: Number(size), root: fromBase64(root) };
}

// Check an answer of /log/proof: the log's key signed the tree, every witness cosigned it, and the
// entry is in it. Returns the checkpoint.
export async function checkEntry(answer, logKey, witnessKeys = []) {
  const keys = await Promise.all([logKey, ...witnessKeys].map(parseKey));
  const checkpoint = await openCheckpoint(answer.checkpoint, keys);
  if (checkpoint.origin !== keys[0].name) refuse("a checkpoint of another log");
  const proof = answer.proof.map(fromHex);
  const leaf = fromHex(answer.leaf_hash);
  await checkInclusion(checkpoint.root, checkpoint.size, answer.index, leaf, proof);
  return checkpoint;
}
