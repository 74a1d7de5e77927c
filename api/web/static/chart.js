// Lay out and draw the chart of the last 48 intervals; api/web/chart.py does the same.

export const SLOTS = 48;
const TOP = 80;
const SPAN = 2160;
const ACROSS = 10000;
const BAR = 164;
const GAP = 22;
const TICKS = 5;
const KWH = 1000;
const DAY_S = 86400;
const NOON_S = 43200;
const SVG = "http://www.w3.org/2000/svg";

const wholeSteps = (energyWh, step) => Math.ceil(energyWh / step) * step;

function parts(interval) {
  const traded = interval.traded_wh;
  const cars = interval.sun_to_cars_wh;
  return [
    ["homes", traded - cars],
    ["cars", cars],
    ["grid", interval.surplus_wh - traded],
    ["supplier", interval.deficit_wh - traded],
  ];
}

function newestBySlot(intervals) {
  const shown = new Map();
  for (const one of intervals) {
    const slot = SLOTS - 1 - (intervals[0].interval - one.interval);
    if (slot >= 0 && slot < SLOTS && !shown.has(slot)) shown.set(slot, one);
  }
  return shown;
}

function stepFor(spanWh) {
  for (let power = KWH; ; power *= 10) {
    for (const factor of [1, 2, 5]) {
      if (power * factor * TICKS >= spanWh) return power * factor;
    }
  }
}

function dayMarks(shown, utcOffsetMinutes) {
  const marks = [];
  for (const [slot, one] of [...shown].sort((a, b) => a[0] - b[0])) {
    const localS = (((one.start_s + utcOffsetMinutes * 60) % DAY_S) + DAY_S) % DAY_S;
    if (localS === 0 || localS === NOON_S) {
      marks.push({
        x: Math.floor((slot * ACROSS) / SLOTS),
        start_s: one.start_s,
        midnight: localS === 0,
      });
    }
  }
  return marks;
}

export function layout(intervals, utcOffsetMinutes) {
  const shown = newestBySlot(intervals);
  const all = [...shown.values()].map(parts);
  const up = Math.max(KWH, ...all.map((p) => p[0][1] + p[1][1] + p[2][1]));
  const down = Math.max(0, ...all.map((p) => p[3][1]));
  const step = stepFor(up + down);
  const top = wholeSteps(up, step);
  const bottom = wholeSteps(down, step);
  const y = (energyWh) => TOP + Math.floor(((top - energyWh) * SPAN) / (top + bottom));
  const bars = [];
  for (const [slot, one] of shown) {
    let at = 0;
    for (const [kind, energy] of parts(one)) {
      const [high, low] = kind === "supplier" ? [0, -energy] : [at + energy, at];
      at = high;
      if (energy > 0) {
        const x = Math.floor((slot * ACROSS) / SLOTS) + GAP;
        bars.push({ kind, x, width: BAR, y: y(high), height: y(low) - y(high) });
      }
    }
  }
  const ticks = [];
  for (let at = -bottom; at <= top; at += step) ticks.push({ y: y(at), energy_wh: Math.abs(at) });
  return { bars, ticks, zero: y(0), days: dayMarks(shown, utcOffsetMinutes) };
}

const percent = (hundredths) => `${(hundredths / 100).toFixed(2)}%`;
const pixels = (tenths) => (tenths / 10).toFixed(1);

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export function draw(figure, intervals, voice, show) {
  const { bars, ticks, zero, days } = layout(intervals, voice.utcOffsetMinutes);
  const axis = ticks.map((tick) =>
    element("text", { x: "100%", y: pixels(tick.y), dx: "-6", dy: "4", "text-anchor": "end" },
      show(voice, "count kwh", { kwh: tick.energy_wh / KWH })));
  const line = (y, kind) =>
    element("line", { x1: "0", x2: "100%", y1: pixels(y), y2: pixels(y), class: kind });
  const plot = [
    ...ticks.map((tick) => line(tick.y, "tick")),
    ...days.filter((day) => day.midnight).map((day) =>
      element("line", { x1: percent(day.x), x2: percent(day.x), y1: "0", y2: "232", class: "day" })),
    ...bars.map((bar) =>
      element("rect", {
        x: percent(bar.x), width: percent(bar.width), y: pixels(bar.y),
        height: pixels(bar.height), class: bar.kind,
      })),
    line(zero, "zero"),
    ...days.map((day) =>
      element("text", {
        x: percent(day.x), dx: "3", y: "245", class: day.midnight ? "midnight" : "noon",
        // Near the right edge a label stands left of its line.
        ...(day.x > 9000 && { "text-anchor": "end" }),
      }, day.midnight ? show(voice, "day start_s", day) : "12:00")),
  ];
  figure.querySelector(".axis").replaceChildren(...axis);
  figure.querySelector(".plot").replaceChildren(...plot);
}
