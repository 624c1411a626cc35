// What all pages know: the alerts, the rules, how the server is, and the theme.
import { effect, signal } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";

export const alertList = signal([]);
export const rules = signal([]);
export const status = signal(null);
export const closedToUs = signal(false); // the status is for operators, and our token is not one's
export const trouble = signal("");       // why the alerts are not known
export const silent = signal(false);     // the server does not answer
export const locked = signal(false);     // the server wants another token
export const opened = signal(0);         // counts the tokens that were given
export const polled = signal(0);         // counts the answers of poll
export const away = signal(document.hidden); // nobody looks at this tab
export const writing = signal(false);    // somebody goes to Explore to write
export const redraw = signal(0);         // counts changes of the theme: canvases are drawn again

api.onDenied(() => { locked.value = true; });

// unlock goes on with another token.
export function unlock(token) {
  api.setToken(token);
  status.value = null;
  locked.value = false;
  opened.value++;
  void poll();
}

// forget goes on without one.
export function forget() {
  seen.clear();
  revision = version = "";
  rules.value = [];
  alertList.value = [];
  unlock("");
}

const seen = new Map(); // the alerts by incident, as they were at revision
let revision = "";
async function pollAlerts() {
  const from = revision, got = await api.alertChanges(from);
  if (from && !revision) return; // forgotten meanwhile
  if (got.complete) seen.clear();
  for (const a of got.alerts) seen.set(a.incident, a);
  for (const incident of got.gone) seen.delete(incident);
  revision = got.revision;
  const changed = got.complete || got.alerts.length + got.gone.length > 0;
  const newest = (a) => Date.parse(a.startsAt || a.pendingSince) || 0;
  if (changed) alertList.value = [...seen.values()].sort((a, b) => newest(b) - newest(a));
}

let version = ""; // of the rules
async function pollRules() {
  const got = await api.rules(version); // thousands of them are a megabyte, and seldom change
  if (got) ({ list: rules.value, version } = got);
}

async function poll() {
  if (locked.peek()) return;
  const [alerts, , server] = await Promise.allSettled([pollAlerts(), pollRules(), api.status()]);
  trouble.value = alerts.reason?.message || "";
  if (server.status === "fulfilled") status.value = server.value;
  silent.value = server.reason?.status === 0;
  closedToUs.value = server.reason?.status === 403;
  polled.value++;
}
let ticks = 0;
async function keep() { // slower when answers take long: thousands of alerts, or a server with more to do
  const from = performance.now();
  if (!document.hidden || ++ticks % 5 === 0) await Promise.race([poll(), new Promise((late) => { setTimeout(late, 15e3); })]); // the title counts alerts in other tabs too
  setTimeout(keep, Math.min(15e3, Math.max(2000, 5 * (performance.now() - from))));
}
void keep();
document.addEventListener("visibilitychange", () => {
  away.value = document.hidden;
  if (!document.hidden) void poll();
});

// repeat calls f at once, and every so many ms while somebody looks, until the returned function is called.
export function repeat(gap, f) {
  let timer = null, turn = 0; // one that was begun before the last turn does not go on
  const run = async (mine) => {
    if (!locked.peek() && !document.hidden) await Promise.resolve(f()).catch(() => {});
    if (mine === turn) timer = setTimeout(run, gap, mine);
  };
  const stop = effect(() => { void opened.value; void away.value; clearTimeout(timer); timer = setTimeout(run, 0, ++turn); });
  return () => { turn++; stop(); clearTimeout(timer); };
}

let chosen = null; // the theme somebody asked for; the system's otherwise
try { chosen = localStorage.getItem("theme"); } catch { /* private windows have no storage */ }
export function toggleTheme() {
  chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setTheme(chosen);
  try { localStorage.setItem("theme", chosen); } catch { /* private windows have no storage */ }
}
function setTheme(theme) { document.documentElement.dataset.theme = theme; redraw.value++; }
const system = matchMedia("(prefers-color-scheme: dark)");
setTheme(chosen || (system.matches ? "dark" : "light"));
system.addEventListener("change", (e) => { if (!chosen) setTheme(e.matches ? "dark" : "light"); });
