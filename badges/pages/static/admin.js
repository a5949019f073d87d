/** The page of an organization's badges: an admin writes them, a coordinator reads them. */

import { element, say } from "/assets/page.js";
import { editView, newView } from "/assets/admin-badge.js";
import { listView } from "/assets/admin-list.js";
import { followUnlocks } from "/assets/admin-unlocks.js";
import { pageAt, show } from "/assets/people-lists.js";
import { signedIn, whoLine } from "/assets/people-session.js";
import { route } from "/assets/people-views.js";

const view = document.querySelector("#view");
const me = await signedIn(view);

document.querySelector("#session").replaceChildren(whoLine());
document.querySelector("#mentors").href = pageAt("/mentor", "/");

if (me.role === "mentor") {
  const own = element("a", { href: pageAt("/mentor", `/${me.peer_mentor_id}`) }, say("own_page"));
  show(view, [element("h1", {}, say("not_for_mentors")), element("p", {}, own)]);
} else {
  const views = document.querySelector("#views");
  views.hidden = false;
  for (const link of views.querySelectorAll("[data-role]")) {
    link.parentElement.hidden = link.dataset.role !== me.role;
  }
  followUnlocks(document.querySelector("#unlocks"));
  await route(view, [
    [/^\/new$/, me.role === "admin" ? newView : listView],
    [/^\/badge\/([0-9a-f-]+)$/, editView],
    [/^\/$/, listView],
  ]);
}
