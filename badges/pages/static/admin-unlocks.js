/** What happens to awards, as it happens: the feed of /v1/unlocks, read with the token in its header. */

import { Announcer, day, element, language, moment, say } from "/assets/page.js";
import { mentorLink } from "/assets/people-lists.js";
import { api, authorization, renewed } from "/assets/people-session.js";

const MOST = 50;
const RETRY_MS = 2_000;
/** The feed gives a sign of life each 15 s unless it is set otherwise: after so long it is gone. */
const SILENCE_MS = 60_000;

const names = new Map();

/** Fill a section with the unlocks from now on, newest first; a button lets it stand still. */
export function followUnlocks(section) {
  const announcer = new Announcer();
  const list = element("ol", { class: "unlocks", reversed: true });
  const status = element("p", { class: "quiet" }, say("unlocks_none"));
  const waiting = [];
  const pause = element("button", { type: "button", class: "small", "aria-pressed": "false" }, say("pause"));

  pause.addEventListener("click", () => {
    announcer.paused = !announcer.paused;
    pause.setAttribute("aria-pressed", String(announcer.paused));
    if (!announcer.paused) waiting.splice(0).forEach(put);
    tell();
  });

  function tell() {
    if (announcer.paused) status.textContent = say("unlocks_waiting", { count: waiting.length });
    else status.textContent = list.childElementCount ? "" : say("unlocks_none");
  }

  function put(unlock) {
    list.prepend(element("li", {}, ...sentence(unlock)));
    while (list.childElementCount > MOST) list.lastElementChild.remove();
  }

  async function heard(unlock) {
    unlock.mentor = await nameOf(unlock.peer_mentor_id);
    if (announcer.paused) waiting.push(unlock);
    else {
      put(unlock);
      announcer.say(words(unlock));
    }
    waiting.splice(0, waiting.length - MOST);
    tell();
  }

  section.hidden = false;
  const heading = element("h2", { id: "unlocks-heading" }, say("unlocks"));
  section.replaceChildren(element("div", { class: "head" }, heading, pause), status, list);
  follow(heard);
}

function words({ kind, name, key, mentor, tier }) {
  const badge = name || key || say("badge_gone");
  return say(`unlock_${kind}`, { mentor, badge: tier ? `${badge} (${tier})` : badge });
}

function sentence(unlock) {
  const earned = unlock.earned_on && unlock.kind !== "revoked" && say("earned_on", { date: day(unlock.earned_on) });
  return [
    element("time", { datetime: unlock.at, class: "quiet" }, moment(unlock.at)),
    " ",
    element("span", {}, words(unlock)),
    " ",
    earned ? element("span", { class: "quiet" }, earned, " ") : null,
    mentorLink(unlock.peer_mentor_id, say("to_mentor", { mentor: unlock.mentor })),
  ];
}

/** A mentor's name, asked for once. */
async function nameOf(id) {
  if (!names.has(id)) {
    const asked = api(`/v1/peer-mentors/${id}`).then((found) => found.display_name || say("nameless"));
    names.set(id, asked.catch(() => say("nameless")));
  }
  return names.get(id);
}

/** Read the feed for ever, each time from where the time before ended. */
async function follow(heard) {
  let last = null;
  for (;;) {
    try {
      last = await once(last, heard, (id) => (last = id));
    } catch (error) {
      console.warn(`the feed of unlocks is read again: ${error}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function once(last, heard, reached) {
  const silence = new AbortController();
  const headers = { ...authorization(), "Accept-Language": language };
  if (last) headers["Last-Event-ID"] = last;
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const answer = await fetch("/v1/unlocks", { headers, cache: "no-store", signal: silence.signal });
    if (answer.status === 400) return null;
    if (answer.status === 401) {
      await renewed();
      return last;
    }
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return last;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const { id, data } = fieldsOf(block);
        if (data) await heard(JSON.parse(data));
        if (id) reached((last = id));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function fieldsOf(block) {
  return Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/, 2)));
}
