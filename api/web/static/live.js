// Keep the page true: fill every bound element again whenever the service sends an overview.

import { drawWith, fill, say, voice } from "./binding.js";
import { draw } from "./chart.js";

drawWith(draw);

let waiting = null;

function render() {
  const overview = waiting;
  waiting = null;
  voice.utcOffsetMinutes = overview.community.utc_offset_minutes;
  voice.currency = overview.community.currency;
  fill(document.querySelector("main"), overview);
}

const stream = new EventSource("/api/live");
stream.addEventListener("open", () => say("on"));
stream.addEventListener("error", () => say("lost"));
stream.addEventListener("overview", (event) => {
  if (waiting === null) requestAnimationFrame(render);
  waiting = JSON.parse(event.data);
});
