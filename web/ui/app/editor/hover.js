// Hover: what a word does, how many values a key has, how many series a value.
import { hoverTooltip } from "/ui/vendor/codemirror.js";
import { complete, limit, tagged, values, words } from "/ui/editor/ask.js";
import { el, word } from "/ui/editor/describe.js";
import { literal, read } from "/ui/editor/tokens.js";

// about describes the token at a position; null when nothing is known of it.
async function about(program, at) {
  const { tokens } = read(program), i = tokens.findIndex((t) => t.from <= at && at < t.to);
  if (i < 0) return null;
  const t = tokens[i], before = tokens.slice(0, i).map((x) => x.text + ",").join("");
  const show = (dom) => dom && { token: t, dom };
  if (t.kind === "word") return show(await aboutWord(t.text.slice(1), before));
  if (t.kind === "key") return show(await aboutKey(t.text));
  const key = tokens[i - 1];
  if (t.kind === "text" && key?.kind === "key") return show(await aboutValue(key.text, t.text));
  return null;
}

async function aboutWord(name, before) {
  const entries = (await words()).get(name);
  if (!entries) return null;
  const fit = entries.length === 1 ? entries : await complete(before + ":" + name).then((list) => list.filter((x) => x.name === name).slice(0, 1), () => []); // the first that fits runs
  return word(fit.length > 0 ? [...entries].sort((a, b) => (b.signature === fit[0].signature) - (a.signature === fit[0].signature)) : entries, fit.length > 0 ? fit : entries);
}

async function aboutKey(key) {
  const list = await values(literal(key)), n = list.length;
  if (n === 0) return el("div", "doc", el("p", "", "no series has the key ", el("code", "", key)));
  const top = [...list].sort((a, b) => b.count - a.count).slice(0, 8), series = list.reduce((sum, v) => sum + v.count, 0);
  return el("div", "doc", el("div", "signature", el("b", "", literal(key)), " tag key"),
    el("p", "", n === limit ? "at least " + n + " values" : (n === 1 ? "1 value" : n + " values") + " on " + series.toLocaleString("en") + " series"),
    el("div", "values", ...top.flatMap((v) => [el("span", "", v.value), el("span", "num", v.count.toLocaleString("en"))])),
    n > top.length ? el("p", "faint", "and " + (n === limit ? "more" : n - top.length + " more")) : null);
}

async function aboutValue(key, value) {
  const [tag] = await tagged(key + "," + value + ",:eq");
  return el("div", "doc", el("p", "", tag ? (tag.count === 1 ? "1 series has " : tag.count.toLocaleString("en") + " series have ") : "no series has ", el("code", "", literal(key) + "=" + literal(value))));
}

export const hover = hoverTooltip(async (view, pos, side) => {
  let found = null;
  try { found = await about(view.state.doc.toString(), side < 0 ? pos - 1 : pos); } catch { return null; } // the server does not answer
  return found && { pos: found.token.from, end: found.token.to, above: false, create: () => ({ dom: found.dom }) };
}, { hideOnChange: true, hoverTime: 250 });
