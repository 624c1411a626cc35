// The board's time: the server's, with how far this screen's clock is from it; and one queue
// of drawings, so that all panels together draw at most four times a second.
import { signal } from "/ui/vendor/preact.js";
import { away, locked } from "/ui/shared.js";

export const drift = signal(null);     // ms that this screen's clock is behind the server's
export const second = signal(0);       // the server's time, once a second while somebody looks
export const woken = signal(0);        // counts the times that this screen stood still for a while, or came back
export const serverNow = () => Date.now() + (drift.peek() || 0);

const still = 15e3;   // ms without a tick: the screen slept
const compare = 60e3; // ms between looks at the server's clock, 5 s when it does not answer

// asked calls f with a signal that aborts after so many ms, or with stop: after a sleep requests may hang.
export async function asked(f, stop, most = 20e3) {
  const own = new AbortController(), end = () => own.abort(), timer = setTimeout(end, most);
  stop?.addEventListener("abort", end);
  if (stop?.aborted) end();
  try { return await f(own.signal); } finally { clearTimeout(timer); stop?.removeEventListener("abort", end); }
}

async function look() {
  const from = Date.now();
  const res = await asked((signal) => fetch("/ok", { signal, cache: "no-store" }), undefined, 5e3);
  const to = Date.now(), at = Date.parse(res.headers.get("Date"));
  if (at > 0) { // a whole second, on average half a second ago
    const by = at + 500 - (from + to) / 2;
    drift.value = Math.abs(by) < 1500 ? 0 : by;
  }
}

// run keeps time until the returned function is called.
export function run() {
  let last = Date.now(), next = 0, busy = false, timer = null;
  const tick = () => {
    const now = Date.now();
    if (now - last > still || now < last - 1000) { woken.value++; next = 0; }
    last = now;
    if (!away.peek()) second.value = Math.floor(serverNow() / 1000) * 1000;
    if (now >= next && !busy && !away.peek() && !locked.peek()) {
      busy = true;
      look().then(() => { next = Date.now() + compare; }, () => { next = Date.now() + 5e3; }).finally(() => { busy = false; });
    }
    timer = setTimeout(tick, 1000 - (Date.now() + (drift.peek() || 0)) % 1000);
  };
  const seen = () => { if (!document.hidden) { woken.value++; clearTimeout(timer); tick(); } };
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", seen);
  tick();
  return () => { clearTimeout(timer); document.removeEventListener("visibilitychange", seen); removeEventListener("online", seen); };
}

const gap = 250; // ms between two drawings
const waiting = new Set();
let drawn = 0, timer = null;

function next() {
  timer = null;
  if (away.peek()) { waiting.clear(); return; } // who comes back draws anew
  const [f] = waiting;
  if (!f) return;
  waiting.delete(f);
  drawn = performance.now();
  f();
  if (waiting.size > 0) timer = setTimeout(next, gap);
}

// draw has f called once, soon; undraw forgets it.
export function draw(f) {
  waiting.add(f);
  timer ??= setTimeout(next, Math.max(0, gap - (performance.now() - drawn)));
}
export function undraw(f) { waiting.delete(f); }
