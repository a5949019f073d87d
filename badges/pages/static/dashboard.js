import { ask, say } from "/assets/page.js";

const verdict = document.querySelector("#verdict");

async function refresh() {
  const lag = await ask("/v1/lag");
  verdict.textContent = say(lag.on_time ? "on_time" : "late");
}

refresh();
setInterval(refresh, 1000);
