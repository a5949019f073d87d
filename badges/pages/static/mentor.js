/** A mentor's page: for whoever coordinates, any of the organization's; for a mentor, their own. */

import { element, say } from "/assets/page.js";
import { badgesSection } from "/assets/mentor-badges.js";
import { progressSection } from "/assets/mentor-progress.js";
import { statsSection } from "/assets/mentor-stats.js";
import { mentorSearch, pageAt } from "/assets/people-lists.js";
import { api, signedIn, whoLine } from "/assets/people-session.js";
import { route } from "/assets/people-views.js";

const view = document.querySelector("#view");
const me = await signedIn(view);

document.querySelector("#session").replaceChildren(whoLine());
document.querySelector("#badges").href = pageAt("/admin", "/");
document.querySelector("#views").hidden = me.role === "mentor";

await route(view, [
  [/^\/([0-9a-f-]{36})$/, mentorView],
  [/^\/$/, me.role === "mentor" ? () => mentorView(me.peer_mentor_id) : searchView],
]);

async function searchView() {
  const search = mentorSearch(({ peer_mentor_id: id, display_name: name, active }) => [
    element("a", { href: `#/${id}` }, name || say("nameless")),
    active ? null : element("span", { class: "quiet" }, " ", say("inactive")),
  ]);
  return { nodes: [element("h1", {}, say("mentors")), element("p", {}, say("search_why")), search] };
}

async function mentorView(id) {
  const mentor = await api(`/v1/peer-mentors/${id}`);
  return {
    nodes: [
      element("h1", {}, mentor.display_name || say("nameless")),
      mentor.active ? null : element("p", { class: "notice" }, say("inactive_why")),
      badgesSection(id),
      progressSection(id),
      statsSection(id),
    ],
  };
}
