// Addresses: which page is shown, and what it was asked for. Links of the page are
// followed without loading it anew.
import { signal } from "/ui/vendor/preact.js";

const here = () => ({ path: location.pathname, search: location.search });

// place is where somebody went, by a link, by go or by the browser's history.
export const place = signal(here());

// go leads to a path with its query.
export function go(url) {
  if (url === location.pathname + location.search) return;
  history.pushState(null, "", url);
  place.value = here();
  scrollTo(0, 0);
}

const noted = new Map(); // path → search

// note keeps the address true to what a page shows, for reloads and links: it leads nowhere.
// With step, the browser's Back leads to what was shown before.
export function note(search, step = false) {
  noted.set(location.pathname, search);
  if (search !== location.search) history[step ? "pushState" : "replaceState"](null, "", location.pathname + search);
}

// back returns the address of a path as it was left.
export const back = (path) => path + (noted.get(path) || "");

addEventListener("popstate", () => { place.value = here(); });
document.addEventListener("click", (e) => {
  const a = e.target.closest?.("a[href]");
  if (!a || e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || a.target || a.hasAttribute("download")) return;
  const to = new URL(a.href);
  if (to.origin !== location.origin || to.hash || /^\/(api|ui|debug|-)\//.test(to.pathname)) return;
  e.preventDefault();
  go(to.pathname + to.search);
});
