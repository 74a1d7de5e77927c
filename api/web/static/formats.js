// Write numbers, instants and states as people of each language read them.
// Everything is computed from integers; api/web/formats.py does the same on the server.

export const NOTHING = "–";
const ID_SHOWN = 14;
const LAWS = 11;

export function text(voice, key, values = {}) {
  return voice.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const magnitude = (number) => (number < 0n ? -number : number);

function whole(voice, number) {
  const digits = magnitude(number).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, text(voice, "number.group"));
  return (number < 0n ? "−" : "") + grouped;
}

function fixed(voice, number, unit, places) {
  const scale = 10n ** BigInt(places);
  const scaled = (magnitude(number) * scale * 2n + unit) / (unit * 2n);
  let shown = whole(voice, scaled / scale);
  if (places) {
    shown += text(voice, "number.decimal") + (scaled % scale).toString().padStart(places, "0");
  }
  return number < 0n && scaled ? `−${shown}` : shown;
}

const local = (voice, instantS) =>
  new Date((Number(instantS) + voice.utcOffsetMinutes * 60) * 1000);
const time = (at) => at.toISOString().slice(11, 16);
const weekday = (voice, at) => text(voice, `weekday.${(at.getUTCDay() + 6) % 7}`);

function day(voice, instantS) {
  const at = local(voice, instantS);
  return text(voice, "unit.day", { weekday: weekday(voice, at), day: at.getUTCDate() });
}

function instant(voice, instantS) {
  const at = local(voice, instantS);
  return text(voice, "unit.instant", {
    weekday: weekday(voice, at),
    day: at.getUTCDate(),
    month: text(voice, `month.${at.getUTCMonth() + 1}`),
    year: at.getUTCFullYear(),
    time: time(at),
  });
}

function elapsed(voice, elapsedMs) {
  const ms = BigInt(elapsedMs);
  return ms < 1000n
    ? text(voice, "unit.ms", { n: whole(voice, ms) })
    : text(voice, "unit.s", { n: fixed(voice, ms, 1000n, 2) });
}

function kwhExact(voice, energyWh) {
  return text(voice, "unit.kwh", { n: fixed(voice, BigInt(energyWh), 1000n, 3) });
}

function amount(voice, key, micros, places) {
  const n = fixed(voice, BigInt(micros), 1000000n, places);
  return text(voice, key, { n, currency: voice.currency });
}

function short(_voice, identity) {
  const shown = String(identity);
  return shown.length <= ID_SHOWN ? shown : `${shown.slice(0, 8)}…${shown.slice(-4)}`;
}

function lawsHeld(voice, laws) {
  const all = Object.values(laws);
  const held = all.filter((law) => law.ok === true).length;
  return text(voice, "unit.held", { n: held, of: LAWS });
}

function key(_voice, value) {
  if (value === null) return "unknown";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

export const SINGLE = {
  count: (voice, value) => whole(voice, BigInt(value)),
  day,
  elapsed,
  hour: (voice, value) =>
    text(voice, "unit.hour", { day: day(voice, value), time: time(local(voice, value)) }),
  instant,
  kw: (voice, value) => text(voice, "unit.kw", { n: fixed(voice, BigInt(value), 1000n, 1) }),
  kwh: (voice, value) => text(voice, "unit.kwh", { n: fixed(voice, BigInt(value), 1000n, 1) }),
  kwh_exact: kwhExact,
  laws_held: lawsHeld,
  money: (voice, value) => amount(voice, "unit.money", value, 2),
  percent_bp: (voice, value) =>
    text(voice, "unit.percent", { n: fixed(voice, BigInt(value), 100n, 1) }),
  price: (voice, value) => amount(voice, "unit.price", value, 4),
  raw: (_voice, value) => String(value),
  short,
  trace_link: (_voice, value) =>
    `/trace/${String(value).split("/").map(encodeURIComponent).join("/")}`,
};

const isEmpty = (value) => value === null || value.length === 0;

export const OF_NOTHING = {
  hide_if_empty: (_voice, value) => (isEmpty(value) ? "" : null),
  hide_unless_broken: (_voice, laws) =>
    Object.values(laws ?? {}).some((law) => law.ok === false) ? null : "",
  hide_unless_empty: (_voice, value) => (isEmpty(value) ? null : ""),
  hide_unless_false: (_voice, value) => (value === false ? null : ""),
  hide_unless_true: (_voice, value) => (value === true ? null : ""),
  key,
};

function share(voice, part, total) {
  if (part === null || total === null || BigInt(total) === 0n) return NOTHING;
  return text(voice, "unit.percent", { n: fixed(voice, BigInt(part) * 100n, BigInt(total), 1) });
}

const less = (format) => (voice, total, part) =>
  part === null || total === null ? NOTHING : format(voice, BigInt(total) - BigInt(part));

export const PAIRS = { less: less(kwhExact), less_rounded: less(SINGLE.kwh), share };

export function dig(scope, path) {
  let found = scope;
  for (const name of path.split(".")) found = found?.[name];
  return found ?? null;
}

export function show(voice, spec, scope) {
  const [name, ...paths] = spec.split(" ");
  const values = paths.map((path) => dig(scope, path));
  if (name in PAIRS) return PAIRS[name](voice, ...values);
  const [value] = values;
  if (name.startsWith("word.")) {
    const state = key(voice, value);
    return voice.words[`${name}.${state}`] ?? state;
  }
  if (name in OF_NOTHING) return OF_NOTHING[name](voice, value);
  return value === null ? NOTHING : SINGLE[name](voice, value);
}
