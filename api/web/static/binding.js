// Fill the elements of a page again: each says in itself what it shows and how.

import { NOTHING, show, text } from "./formats.js";

// Only a page with a chart brings what draws it.
let draw = null;

export function drawWith(drawing) {
  draw = drawing;
}

export const voice = JSON.parse(document.body.dataset.voice);

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

export function fill(node, data) {
  const { dataset } = node;
  if (dataset.set) setAttributes(node, data);
  if (dataset.list) {
    fillList(node, data[dataset.list]);
  } else if (dataset.chart) {
    draw?.(node, data[dataset.chart], voice, show);
  } else if (dataset.text) {
    const value = show(voice, dataset.text, data);
    if (node.textContent !== value) node.textContent = value;
  } else {
    for (const child of node.children) fill(child, data);
  }
}

// Say in the foot of the page how fresh its figures are.
export function say(state) {
  const link = document.getElementById("link");
  link.dataset.state = state;
  link.textContent = text(voice, `live.${state}`);
}
