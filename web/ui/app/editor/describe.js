// What words do, as elements: text only ever becomes text.

// el makes an element with a class and children: elements, or texts.
export function el(tag, name, ...children) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return e;
}

// prose makes paragraphs of a description, with what stands in backquotes as code.
function prose(text) {
  return text.trim().split(/\n\s*\n/).map((part) => el("p", "", ...part.split("`").map((piece, i) => (i % 2 ? el("code", "", piece) : piece.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").replace(/\s*\n\s*/g, " ")))));
}

// arrow is a signature for people.
export const arrow = (w) => w.signature.trim().replace(/\s*--\s*/, " → ").trim();

// word describes one by its entries in the vocabulary; those that do not fit here are fainter.
export function word(entries, fit = entries, needs = "") {
  const box = el("div", "doc");
  if (needs) box.append(el("p", "needs", needs));
  for (const w of entries) {
    const part = el("section", fit.some((x) => x.signature === w.signature) ? "" : "faint", el("div", "signature", el("b", "", ":" + w.name), " ", arrow(w)), ...prose(w.description));
    const good = (w.examples || []).filter((x) => !x.startsWith("ERROR:")).slice(0, 3);
    if (good.length > 0) part.append(el("div", "examples", ...good.map((x) => el("code", "", (x ? x + "," : "") + ":" + w.name))));
    box.append(part);
  }
  return box;
}
