// Ask the service, and say its refusals as people of each language say them.

import { voice } from "./binding.js";

export class Refused extends Error {}

export async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const found = await answer.json();
  if (answer.ok) return found;
  throw new Refused(voice.words[`word.code.${found.code}`] ?? found.detail ?? found.code);
}

export function explain(fault) {
  if (fault instanceof Refused) return fault.message;
  // 4001 is what wallets answer if their owner declines (EIP-1193).
  if (fault?.code === 4001) return voice.words["live.declined"];
  return `${voice.words["live.failed"]} ${fault?.message ?? ""}`.trim();
}
