// Completion: what may stand at the caret, by the stack that the expression has left there
// and by the tags that there are.
import { autocompletion, insertCompletionText, pickedCompletion } from "/ui/vendor/codemirror.js";
import { complete, limit, trace, words } from "/ui/editor/ask.js";
import { arrow, word } from "/ui/editor/describe.js";
import { spot } from "/ui/editor/tokens.js";

// What is wanted most, of the words that fit.
const common = ["eq", "and", "sum", "by", "in", "re", "max", "avg", "div", "min", "count", "per-step", "rolling-mean", "topk", "pct", "legend", "offset", "contains", "starts", "percentiles", "dist-avg", "dist-max", "gt", "lt"];
const wanted = new Map(common.map((name, i) => [name, common.length - i]));
const alike = { // what an item of the stack can stand for
  query: ["Query", "TimeSeries", "Style", "Expr", "Aggregate", "Data"], aggregate: ["TimeSeries", "Style", "Expr", "Aggregate", "Data"],
  "time series": ["TimeSeries", "Style", "Expr", "Data"], style: ["Style", "Expr"], list: ["List"], text: ["String"],
};
const literals = { Int: "10", Double: "1", Duration: "1h", List: "", String: "" };

// parameters reads what a word takes from its signature; null when that cannot be listed.
function parameters(w) {
  const fields = w.signature.split("--")[0].trim().split(/\s+/).filter(Boolean);
  if (fields.some((f) => /[*?.[<]|^aN/.test(f))) return null;
  return fields.map((f) => ({ name: f.split(":")[0], kind: f.split(":").at(-1) }));
}

// lacking returns what has to be written before a word so that it fits on a stack, whose top
// is the first: texts and lists only; null when that does not help, or nothing lacks.
function lacking(w, stack) {
  const all = parameters(w);
  if (!all) return null;
  let n = all.length;
  while (n > 0 && all[n - 1].kind in literals) n--;
  const fits = (count) => all.slice(0, count).every((p, i) => (alike[stack[count - 1 - i]?.kind] || []).includes(p.kind));
  return n > 0 && n < all.length && fits(n) ? all.slice(n) : null;
}

const section = (name, rank) => ({ name, rank });

// put returns how to insert text in place of the token, with the caret, or what is selected, at
// [from, to] of it.
function put(text, at) {
  return (view, completion, from) => {
    const doc = view.state.doc.toString(), s = spot(doc, view.state.selection.main.head);
    const [a, b] = at || [text.length, text.length], to = Math.max(s?.to ?? from, view.state.selection.main.head);
    const end = text.endsWith(",") && /^\s*,/.test(doc.slice(to)) ? text.slice(0, -1) : text;
    const shift = end === text ? 0 : doc.slice(to).indexOf(",") + 1; // behind the comma that is there
    view.dispatch({ ...insertCompletionText(view.state, end, from, to), selection: { anchor: from + Math.min(a, end.length) + shift, head: from + Math.min(b, end.length) + shift },
      annotations: pickedCompletion.of(completion) });
  };
}

// pattern is the text that gives a word the arguments that it lacks, the first one selected.
function pattern(w, params) {
  let text = "", at = null;
  for (const p of params) {
    const from = text.length + (p.kind === "List" ? 2 : 0), value = p.kind === "String" ? p.name : literals[p.kind];
    text += p.kind === "List" ? "(,,)," : value + ",";
    at ??= [from, from + value.length];
  }
  return { text: text + ":" + w.name, at, again: params[0].kind === "List" };
}

// least returns the entry of a word that lacks the fewest arguments on a stack.
function least(entries, stack) {
  const all = entries.map((w) => ({ w, params: lacking(w, stack) })).filter((x) => x.params);
  return all.sort((a, b) => a.params.length - b.params.length)[0];
}

// wordOptions lists the words that fit the stack, and those that do with arguments before them.
async function wordOptions(fitting, stack, rank) {
  const all = await words(), out = new Map(), inSection = section("words", rank);
  for (const w of fitting) {
    const entries = all.get(w.name) || [w], fit = fitting.filter((x) => x.name === w.name);
    if (!out.has(w.name)) out.set(w.name, { label: ":" + w.name, detail: arrow(w), type: "word", section: inSection, boost: wanted.get(w.name) ?? 0, apply: put(":" + w.name), info: () => word(entries, fit) });
  }
  for (const [name, entries] of all) {
    const found = out.has(name) ? null : least(entries, stack);
    if (!found) continue;
    const { w, params } = found, p = pattern(w, params), shown = params.map((x) => (x.kind === "List" ? "(," + x.name + ",)" : x.name)).join(",");
    out.set(name, { label: ":" + name, detail: shown + ",:" + name, type: "pattern", section: inSection, boost: wanted.get(name) ?? -1, apply: put(p.text, p.at), again: p.again, info: () => word(entries, [w], "needs " + shown + " before it") });
  }
  return [...out.values()];
}

// anyWord lists all words, for an expression that does not run so far.
async function anyWord() {
  return [...await words()].map(([name, entries]) => ({ label: ":" + name, detail: arrow(entries[0]), type: "word", section: section("words; what stands before does not run", 9), boost: 0,
    apply: put(":" + name), info: () => word(entries) }));
}

function textOptions(found, s, stack) {
  const out = [], also = stack[1]?.kind === "query" && s.key !== "name" ? ",:and" : "";
  const end = s.list >= 0 ? "," : s.last ? ",:eq" + also : "";
  for (const x of found) {
    if (x.kind === "value") out.push({ label: x.name, detail: x.description, type: "value", section: section("values of " + x.signature, 0), boost: 0, apply: put(x.name + end), again: s.list >= 0 });
    if (x.kind === "key") out.push({ label: x.name, type: "key", section: section("tag keys", s.list >= 0 ? 1 : s.texts > 0 ? 3 : 2.5), boost: x.name === "name" ? 1 : 0, apply: put(x.name + ","), again: true });
  }
  if (s.list > 0 && !s.closes) out.push({ label: ")", detail: "the list ends", type: "word", section: section("list", s.typed === "" ? -1 : 9), boost: 0, apply: put(")") });
  return out;
}

// options returns all that may stand at a spot.
async function options(s) {
  const { steps, error } = s.base === "" ? { steps: [] } : await trace(s.base);
  if (error) return s.typed[0] === ":" ? anyWord() : [];
  const stack = steps.at(-1)?.stack || [], full = (list) => ["key", "value"].some((kind) => list.filter((x) => x.kind === kind).length === limit);
  const texts = s.typed !== "" && s.typed[0] !== ":" ? s.typed : "";
  let found = await complete(s.before);
  if (full(found) && texts) found = [...found.filter((x) => x.kind === "word"), ...await complete(s.before + texts)]; // there are more: those that begin with it
  if (/^:./.test(s.typed)) found = [...found, ...await complete(s.before + s.typed.slice(0, 2))]; // also words that are not offered unasked
  const out = textOptions(found, s, stack);
  if (s.texts === 0 && s.list < 0) { // most expressions begin with a name
    let names = await complete("name,");
    if (full(names) && texts) names = await complete("name," + texts);
    for (const x of names.filter((n) => n.kind === "value")) {
      out.push({ label: x.name, detail: x.description, type: "value", section: section("names", s.before === "" ? 0 : 2), boost: 0, apply: put("name," + x.name + ",:eq") });
    }
  }
  if (s.list < 0) out.push(...await wordOptions(found.filter((x) => x.kind === "word"), stack, s.texts === 1 || s.before === "" ? 2 : 1));
  return out;
}

// match says how well an option fits what is typed, 0 best, and which part of it; null when it
// does not. A word is found without its colon, too.
function match(option, typed) {
  const at = option.label.toLowerCase().indexOf(typed.toLowerCase());
  if (at < 0) return null;
  const word = option.label[0] === ":", start = at === 0 || (word && at === 1);
  return { grade: option.label === typed ? 0 : start ? 1 : /[^a-z0-9]/i.test(option.label[at - 1]) ? 2 : 3, part: [at, at + typed.length] };
}

const plain = /^[+-]?\d[\w.]*$/; // a number, or a duration

// source answers CodeMirror.
async function source(context) {
  const s = spot(context.state.doc.toString(), context.pos);
  if (!s || (s.typed === "" && !context.explicit && !/[,\s]/.test(context.state.sliceDoc(context.pos - 1, context.pos)))) return null;
  let list;
  try { list = await options(s); } catch { return null; } // the server does not answer
  if (context.aborted) return null;
  const found = list.map((option) => ({ option, m: match(option, s.typed) })).filter(({ option, m }) => m && (!plain.test(s.typed) || (option.type === "value" && m.grade < 2)));
  found.sort((a, b) => a.option.section.rank - b.option.section.rank || a.m.grade - b.m.grade || b.option.boost - a.option.boost);
  const parts = new Map(found.map(({ option, m }) => [option, m.part]));
  return found.length === 0 ? null : { from: s.from, options: found.map((x) => x.option), filter: false, getMatch: (option) => (s.typed === "" ? [] : parts.get(option)) };
}

// place puts the description of an option beside the list, or below it where the screen is narrow.
function place(view, list, option, info, space) {
  const wide = info.right - info.left, right = space.right - list.right >= wide, left = list.left - space.left >= wide;
  if (!right && !left) {
    const below = space.bottom - list.bottom;
    return { class: "below", style: "left: 0; right: 0; width: auto; max-width: none; top: " + (list.bottom - list.top) + "px; max-height: " + Math.max(120, below - 8) + "px" };
  }
  const top = Math.max(0, Math.min(option.top - list.top, space.bottom - list.top - (info.bottom - info.top)));
  return { class: "", style: (right ? "left: 100%; " : "right: 100%; ") + "top: " + top + "px; max-width: " + Math.min(440, Math.max(space.right - list.right, list.left - space.left)) + "px" };
}

export function completion(idle) {
  return autocompletion({ override: [source], icons: false, defaultKeymap: false, activateOnTypingDelay: 60, interactionDelay: 0, maxRenderedOptions: 200, positionInfo: place,
    activateOnCompletion: (c) => Boolean(c.again), tooltipClass: (state) => (idle(state) ? "idle" : ""), optionClass: (c) => "option-" + c.type });
}
