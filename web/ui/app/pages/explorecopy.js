// What can be copied of a line.
import { asText } from "/ui/pages/parts.js";
import { state } from "/ui/pages/explorestate.js";

const tagsOf = (l) => Object.entries(l.tags || {}).filter(([k]) => !k.startsWith("atlas."));

// lineExpression restricts an expression to the tags of one of its lines.
function lineExpression(q, l) {
  const parts = tagsOf(l).filter(([k, v]) => k !== "name" || q.includes("name,")).map(([k, v], i) => asText(k) + "," + asText(v) + ",:eq" + (i > 0 ? ",:and" : ""));
  return parts.length > 0 ? q + "," + parts.join(",") + ",:cq" : q;
}

// copy puts text into the clipboard, also where the page came over plain http.
export async function copy(text) {
  if (navigator.clipboard && isSecureContext) {
    try { await navigator.clipboard.writeText(text); return; } catch { /* not permitted: the way below */ }
  }
  const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "offscreen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!done) throw new Error("not copied");
}

export async function copyLine(what, l) {
  await copy(what === "tags" ? tagsOf(l).map((kv) => kv.join("=")).join(",") : lineExpression(state.q.value, l));
  return "Copied: " + what + " of " + l.label;
}
