// The till of a station: say how much, sign once, charge.

import { ask, explain, Refused } from "./asking.js";
import { voice } from "./binding.js";
import { AUTHORIZATION, hashStruct, leaveFor, TERMS, toHex, tokenOf } from "./eip712.js";
import { show, text } from "./formats.js";
import { connect, hasInjected, make, remembered } from "./wallet.js";

const form = document.getElementById("till");
const till = JSON.parse(form.dataset.till);
const named = (name) => document.getElementById(name);
const PRICE = BigInt(till.price_micros_per_kwh);
const FLAT = BigInt(till.flat_micros);
const CENT = 10000n;
const MOST_WH = 1000000n;
const PAUSE_MS = 250;

let wallet = null;
let quoted = null;
let asked = 0;
let timer = null;

// A decimal number as people write it, in units of 10^-places; null if it is none.
export function read(written, places) {
  const found = /^\s*(\d{1,6})(?:[.,](\d+))?\s*$/.exec(written);
  const decimals = found?.[2] ?? "";
  if (!found || decimals.length > places) return null;
  return BigInt(found[1] + decimals.padEnd(places, "0"));
}

// The energy that is asked for, in Wh: as written, or what the money is enough for.
function wanted() {
  const isMoney = form.elements.unit.value === "money";
  const number = read(form.elements.amount.value, isMoney ? 2 : 3);
  if (number === null) return null;
  const energy = isMoney ? ((number * CENT - FLAT) * 1000n) / PRICE : number;
  return energy > 0n && energy <= MOST_WH ? energy : null;
}

function tell(fault) {
  named("fault").textContent = fault ? explain(fault) : "";
  named("news").textContent = "";
}

function showQuote() {
  named("deposit_shown").textContent = show(voice, "money v", {
    v: quoted?.terms.deposit_micros ?? null,
  });
  named("energy_shown").textContent = show(voice, "kwh_exact v", { v: quoted?.requested_wh ?? null });
  named("go").disabled = !(wallet && quoted);
}

async function quote() {
  const mine = ++asked;
  const energy = wanted();
  clearTimeout(timer);
  quoted = null;
  named("go").disabled = true;
  named("amount_fault").textContent = energy === null ? text(voice, "live.amount") : "";
  form.elements.amount.setAttribute("aria-invalid", String(energy === null));
  if (energy === null) return showQuote();
  const driver = wallet?.address ?? `0x${"0".repeat(39)}1`;
  try {
    const requested_wh = Number(energy);
    const found = await ask("/api/quotes", { station_id: till.station_id, driver, requested_wh });
    if (mine === asked) quoted = { ...found, requested_wh };
    tell(null);
  } catch (fault) {
    if (mine === asked) tell(fault);
  }
  return showQuote();
}

function later() {
  clearTimeout(timer);
  named("go").disabled = true;
  timer = setTimeout(quote, PAUSE_MS);
}

const termsOf = (terms) => ({
  driver: terms.driver,
  purse: terms.purse,
  operator: terms.operator,
  meterId: terms.meter_id,
  idTag: terms.id_tag,
  priceMicrosPerKwh: terms.price_micros_per_kwh,
  flatMicros: terms.flat_micros,
  depositMicros: terms.deposit_micros,
  tariffFingerprint: terms.tariff_fingerprint,
  deadline: terms.deadline_s,
  salt: terms.salt,
});

// Nothing is signed but what this page has shown.
function check(offer) {
  const { terms } = offer;
  const same = [
    [terms.driver, wallet.address],
    [BigInt(terms.price_micros_per_kwh), PRICE],
    [BigInt(terms.flat_micros), FLAT],
    [terms.tariff_fingerprint, till.tariff_fingerprint],
    [terms.deposit_micros, quoted.terms.deposit_micros],
    [offer.chain_id, till.chain_id],
    [offer.token.toLowerCase(), till.token],
    [offer.vault.toLowerCase(), till.vault],
    [offer.session_id, toHex(hashStruct("SessionTerms", TERMS, termsOf(terms)))],
  ];
  if (!same.every(([found, shown]) => found === shown)) {
    throw new Refused(text(voice, "live.differs"));
  }
}

async function pay() {
  const { requested_wh } = quoted;
  const driver = wallet.address;
  const offer = await ask("/api/quotes", { station_id: till.station_id, driver, requested_wh });
  check(offer);
  const leave = leaveFor(offer, driver, offer.terms.deposit_micros, offer.session_id);
  named("news").textContent = text(voice, "live.signing");
  const signature = await wallet.signTyped(
    tokenOf(till),
    "ReceiveWithAuthorization",
    AUTHORIZATION,
    leave,
  );
  named("news").textContent = text(voice, "live.opening");
  const { valid_after, valid_before, terms } = offer;
  await ask("/api/sessions", { terms, requested_wh, valid_after, valid_before, signature });
  location.assign(`/sessions/${offer.session_id}`);
}

async function use(found) {
  wallet = found;
  named("no_wallet").hidden = wallet !== null;
  named("wallet").hidden = wallet === null;
  if (wallet === null) return;
  named("address").textContent = show(voice, "short v", { v: wallet.address });
  named("address").title = wallet.address;
  if (till.gives && wallet.made) await ask("/api/faucet", { address: wallet.address });
  const { held_micros } = await ask(`/api/wallets/${wallet.address}`);
  named("holds").textContent = show(voice, "money v", { v: held_micros });
  await quote();
}

// Do something that the driver asked for; one thing at a time.
async function doing(work) {
  form.setAttribute("aria-busy", "true");
  for (const one of form.querySelectorAll("button")) one.disabled = true;
  try {
    tell(null);
    await work();
  } catch (fault) {
    tell(fault);
  } finally {
    form.removeAttribute("aria-busy");
    for (const one of form.querySelectorAll("button")) one.disabled = false;
    named("go").disabled = !(wallet && quoted);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (wallet && quoted) doing(pay);
});
form.addEventListener("input", (event) => {
  if (event.target.name === "unit") {
    named("unit").textContent = event.target.value === "money" ? voice.currency : text(voice, "live.kwh");
    form.elements.amount.value = event.target.value === "money" ? "5" : "10";
  }
  later();
});
named("made").addEventListener("click", () => doing(async () => use(make())));
named("injected").addEventListener("click", () => doing(async () => use(await connect())));

named("injected").hidden = !hasInjected();
named("noscript").hidden = true;
form.hidden = false;
await quote();
await doing(async () => use(await remembered()));
