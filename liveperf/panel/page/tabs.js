/** Tabs, as the ARIA Authoring Practices have them: arrows move, and what is chosen is remembered. */

import { $, recall, remember } from "./dom.js";

/** Bring a tablist to life; chosen(id of the panel) is called with each choice. */
export function bringTabs(list, chosen) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    for (const one of tabs) {
      const is = one === tab;
      one.setAttribute("aria-selected", String(is));
      one.tabIndex = is ? 0 : -1;
      $(one.getAttribute("aria-controls")).hidden = !is;
    }
    remember("tab", tab.id);
    chosen(tab.getAttribute("aria-controls"));
  };
  const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const at = tabs.indexOf(document.activeElement) + move;
    const tab = Number.isFinite(at) ? tabs[(at + tabs.length) % tabs.length] : move < 0 ? tabs[0] : tabs.at(-1);
    choose(tab);
    tab.focus();
  });
  choose($(recall("tab", "")) ?? tabs[0]);
}
