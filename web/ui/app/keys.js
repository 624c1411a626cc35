// Keys: whoever is on the page says which it listens to, and ? lists them.
import { html, signal, useEffect, useRef } from "/ui/vendor/preact.js";

const bound = new Map(); // key → {does, f}; a sequence is written with a space, "g a"
let started = "";        // the first key of a sequence, for a second
const listing = signal(false);

// keys binds {key: [what it does, f]} until the returned function is called. What is bound
// last has the key.
export function keys(map) {
  const before = new Map();
  for (const [key, [does, f]] of Object.entries(map)) {
    before.set(key, bound.get(key));
    bound.set(key, { does, f });
  }
  return () => before.forEach((was, key) => { if (was) bound.set(key, was); else bound.delete(key); });
}

// useKeys binds them while a component is shown; fresh is when they mean something else.
export function useKeys(map, fresh = []) { useEffect(() => keys(map), fresh); }

const typing = (e) => e.composedPath()[0].matches?.("textarea, input, select, [contenteditable]");

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
  if (typing(e)) { if (e.key === "Escape") e.composedPath()[0].blur(); return; }
  if (document.querySelector("dialog[open]") || (e.key === "Enter" && e.composedPath()[0].matches?.("a, button, summary"))) return;
  if (e.key === "?") { listing.value = !listing.value; return; }
  const sequence = started + e.key, hit = bound.get(sequence);
  started = "";
  if (hit) { e.preventDefault(); hit.f(e); return; }
  if (sequence !== e.key) return; // a sequence that means nothing
  if ([...bound.keys()].some((key) => key.startsWith(e.key + " "))) {
    started = e.key + " ";
    setTimeout(() => { started = ""; }, 1000);
  }
});

const signs = { ArrowLeft: "←", ArrowRight: "→" };

// Help lists the keys.
export function Help() {
  const el = useRef(null), open = listing.value;
  useEffect(() => { if (open) el.current.showModal(); }, [open]);
  if (!open) return null;
  return html`<dialog ref=${el} class="help" aria-label="Keys" onClose=${() => { listing.value = false; }} onClick=${(e) => { if (e.target === el.current) el.current.close(); }}>
    <h2>Keys</h2><dl>${[...bound].map(([key, { does }]) => html`<dt key=${key}>${key.split(" ").map((k) => html`<kbd>${signs[k] || k}</kbd> `)}</dt><dd>${does}</dd>`)}<dt><kbd>?</kbd></dt><dd>this list</dd></dl>
    <form method="dialog"><button>Close</button></form></dialog>`;
}
