// Keep the page true: fill every bound element again whenever the service sends an overview.

import { draw } from "./chart.js";
import { NOTHING, show, text } from "./formats.js";

const voice = JSON.parse(document.body.dataset.voice);

function setAttributes(node, data) {
  for (const rule of node.dataset.set.split(", ")) {
    const [attribute, ...spec] = rule.split(" ");
    const value = show(voice, spec.join(" "), data);
    if (value === null || value === NOTHING) node.removeAttribute(attribute);
    else if (node.getAttribute(attribute) !== value) node.setAttribute(attribute, value);
  }
}

function fillList(list, items) {
  const template = document.getElementById(list.dataset.row);
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = items.slice(0, Number(list.dataset.limit)).map((item) => {
    const identity = list.dataset.keys.split(" ").map((name) => item[name]).join("|");
    const row = known.get(identity) ?? template.content.firstElementChild.cloneNode(true);
    row.dataset.key = identity;
    fill(row, item);
    return row;
  });
  // Rows that stay are not moved, so that focus and selection stay in them.
  const kept = new Set(rows);
  for (const row of [...list.children]) if (!kept.has(row)) row.remove();
  rows.forEach((row, at) => {
    if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
  });
}

function fill(node, data) {
  const { dataset } = node;
  if (dataset.set) setAttributes(node, data);
  if (dataset.list) {
    fillList(node, data[dataset.list]);
  } else if (dataset.chart) {
    draw(node, data[dataset.chart], voice, show);
  } else if (dataset.text) {
    const value = show(voice, dataset.text, data);
    if (node.textContent !== value) node.textContent = value;
  } else {
    for (const child of node.children) fill(child, data);
  }
}

let waiting = null;

function render() {
  const overview = waiting;
  waiting = null;
  voice.utcOffsetMinutes = overview.community.utc_offset_minutes;
  voice.currency = overview.community.currency;
  fill(document.querySelector("main"), overview);
}

function say(state) {
  const link = document.getElementById("link");
  link.dataset.state = state;
  link.textContent = text(voice, `live.${state}`);
}

const stream = new EventSource("/api/live");
stream.addEventListener("open", () => say("on"));
stream.addEventListener("error", () => say("lost"));
stream.addEventListener("overview", (event) => {
  if (waiting === null) requestAnimationFrame(render);
  waiting = JSON.parse(event.data);
});
