// A session as it charges: keep the page true, and let its driver stop.

import { ask, explain, Refused } from "./asking.js";
import { fill, say, voice } from "./binding.js";
import { AUTHORIZATION, hashStruct, leaveFor, TOP_UP, toHex, tokenOf } from "./eip712.js";
import { text } from "./formats.js";
import { remembered } from "./wallet.js";

const ride = document.getElementById("ride");
const { session, driver } = ride.dataset;
const token = JSON.parse(ride.dataset.token);
const named = (name) => document.getElementById(name);

let waiting = null;
let wallet = null;

function offer() {
  const isCharging = ["charging", "warned", "stopping", "suspended"].includes(ride.dataset.phase);
  const isMine = wallet?.address === driver;
  named("deeds").hidden = !(isCharging && isMine);
  named("elsewhere").hidden = !(isCharging && !isMine);
}

function render() {
  const found = waiting;
  waiting = null;
  ride.dataset.phase = found.phase;
  for (const child of ride.children) fill(child, found);
  offer();
}

function follow() {
  const stream = new EventSource(`/api/sessions/${session}/live`);
  stream.addEventListener("open", () => say("on"));
  stream.addEventListener("error", () => say("lost"));
  stream.addEventListener("session", (event) => {
    const found = JSON.parse(event.data);
    if (waiting === null) requestAnimationFrame(render);
    waiting = found;
    if (found.over) {
      named("news").textContent = "";
      stream.close();
      say("over");
    }
  });
}

// Do something that the driver asked for, and say what came of it.
async function doing(button, news, work) {
  named("fault").textContent = "";
  button.disabled = true;
  try {
    await work();
    named("news").textContent = text(voice, news);
  } catch (fault) {
    named("fault").textContent = explain(fault);
  } finally {
    button.disabled = false;
  }
}

async function stop() {
  const signature = await wallet.signText(`Voisin: stop charging session ${session}`);
  await ask(`/api/sessions/${session}/stop`, { signature });
}

async function raise(amount) {
  const path = `/api/sessions/${session}/top-ups`;
  const offer = await ask(`${path}?amount_micros=${amount}`);
  const { amount_micros, deposit_micros, valid_after, valid_before } = offer;
  const topUp = { sessionId: session, depositMicros: deposit_micros, amountMicros: amount };
  const nonce = toHex(hashStruct("TopUp", TOP_UP, topUp));
  const same = [
    [String(amount_micros), amount],
    [offer.nonce, nonce],
    [offer.chain_id, token.chain_id],
    [offer.token.toLowerCase(), token.token],
    [offer.vault.toLowerCase(), token.vault],
  ];
  if (!same.every(([found, shown]) => found === shown)) {
    throw new Refused(text(voice, "live.differs"));
  }
  const leave = leaveFor(offer, driver, amount, nonce);
  const signature = await wallet.signTyped(
    tokenOf(token),
    "ReceiveWithAuthorization",
    AUTHORIZATION,
    leave,
  );
  await ask(path, { deposit_micros, amount_micros, valid_after, valid_before, signature });
}

named("stop").addEventListener("click", (event) => doing(event.target, "live.stopping", stop));
for (const one of document.querySelectorAll("button.raise")) {
  const add = () => raise(one.dataset.micros);
  one.addEventListener("click", () => doing(one, "live.raised", add));
}

follow();
wallet = await remembered().catch(() => null);
offer();
