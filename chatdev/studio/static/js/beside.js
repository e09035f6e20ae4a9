// Two runs side by side.

import { h, replace } from "./dom.js";
import { RunView } from "./run.js";

export async function besidePage(place, one, other) {
  const views = [new RunView(one), new RunView(other)];
  await Promise.all(views.map((view) => view.live()));
  views.forEach((view) => view.tabs.choose("dialogue"));
  place.classList.add("wide");
  replace(place, h("div", { class: "beside" }, views.map((view) => view.element)));
  views.forEach((view) => view.dialogue.bottom());
  document.title = "Side by side · ChatDev studio";
  return () => views.forEach((view) => view.close());
}
