// The shape of expressions that the builder knows, written and read.
import { asText } from "/ui/pages/parts.js";

export const functions = { sum: "sum", avg: "average", max: "maximum", min: "minimum", count: "how many series" };
export const operators = { eq: "is", ne: "is not", in: "is one of", re: "matches", nre: "does not match", has: "is there" };

const several = (text) => text.split(",").map((v) => v.trim()).filter(Boolean);

function condition({ key, op, value }) {
  const k = asText(key);
  switch (op) {
    case "has": return k + ",:has";
    case "in": return k + ",(," + several(value).map(asText).join(",") + ",),:in";
    case "ne": return k + "," + asText(value) + ",:eq,:not";
    case "nre": return k + "," + asText(value) + ",:re,:not";
    default: return k + "," + asText(value) + ",:" + op;
  }
}
const whole = (f) => f.key && (f.op === "has" || (f.op === "in" ? several(f.value).length > 0 : f.value));

const query = (name, filters) => "name," + asText(name) + ",:eq" + filters.map((f) => "," + condition(f) + ",:and").join("");

// scope is the query that the values of a field are looked up in: without the filter at i.
export const scope = ({ name, filters }, i) => (name ? query(name, filters.filter((f, j) => j !== i && whole(f))) : "");

// build returns the expression of a shape, "" while it is not whole.
export function build({ name, filters, func, by, perStep, top, offset }) {
  if (!name || !filters.every(whole)) return "";
  return query(name, filters) + ",:" + func + (by.length > 0 ? ",(," + by.map(asText).join(",") + ",),:by" : "")
    + (offset ? "," + offset + ",:offset" : "") + (perStep ? ",:per-step" : "") + (top ? "," + top.stat + "," + top.n + ",:" + top.word : "");
}

const plain = (token) => token.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));

// read returns the shape of an expression, null when it has another one.
export function read(text) {
  const tokens = text.split(",").map((t) => t.trim()).filter(Boolean);
  let i = 0;
  const next = (...want) => { // takes these tokens, if they come
    if (!want.every((w, k) => tokens[i + k] === w)) return false;
    i += want.length;
    return true;
  };
  const word = () => (i < tokens.length && !/^(:|\(|\))/.test(tokens[i]) ? plain(tokens[i++]) : null);
  const list = () => {
    const out = [];
    if (!next("(")) return null;
    for (let w = word(); w !== null; w = word()) out.push(w);
    return next(")") ? out : null;
  };
  const shape = { name: "", filters: [], func: "sum", by: [], perStep: false, top: null, offset: "" };
  if (!next("name") || !(shape.name = word()) || !next(":eq")) return null;
  while (i < tokens.length && !tokens[i].startsWith(":")) {
    const from = i, f = filter(next, word, list);
    if (!f || !next(":and")) { i = from; break; }
    shape.filters.push(f);
  }
  const func = Object.keys(functions).find((f) => next(":" + f));
  if (func) shape.func = func;
  const before = i, by = list();
  if (by && next(":by")) shape.by = by;
  else i = before;
  if (/^\d+[smhdw]$/.test(tokens[i] || "") && tokens[i + 1] === ":offset") { shape.offset = tokens[i]; i += 2; }
  shape.perStep = next(":per-step");
  if (i === tokens.length - 3 && ["max", "avg", "last"].includes(tokens[i]) && /^\d+$/.test(tokens[i + 1]) && /^:(topk|bottomk)$/.test(tokens[i + 2])) {
    shape.top = { stat: tokens[i], n: Number(tokens[i + 1]), word: tokens[i + 2].slice(1) };
    i += 3;
  }
  return i === tokens.length ? shape : null;
}

function filter(next, word, list) {
  const key = word();
  if (key === null) return null;
  if (next(":has")) return { key, op: "has", value: "" };
  const many = list();
  if (many) return next(":in") && many.every((v) => !v.includes(",")) ? { key, op: "in", value: many.join(", ") } : null;
  const value = word();
  if (value === null) return null;
  for (const [w, no] of [["eq", "ne"], ["re", "nre"]]) if (next(":" + w)) return { key, op: next(":not") ? no : w, value };
  return null;
}
