// Tokens of an expression, as the server reads them. Positions are those of the text in
// UTF-16 units; the server counts bytes.

const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(NaN|Infinity)$/;
const duration = /^\d+(ns|us|ms|s|m|min|h|d|w|mo|y|seconds?|minutes?|hours?|days?|weeks?|months?|years?)$|^P(?=.)(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/;
const compares = new Set(["eq", "lt", "le", "gt", "ge", "re", "reic", "contains", "starts", "ends", "in"]);

// read returns {tokens, commas, comments}. A token has text, without the comments that stand
// in it, from, to, and the kind: word, open, close, number, duration, key, variable or text.
export function read(program) {
  const tokens = [], commas = [], comments = [];
  let now = null, depth = 0, open = 0;
  const flush = () => {
    if (now) tokens.push({ ...now, text: now.text.slice(0, now.length), kind: "" });
    now = null;
  };
  for (let i = 0; i < program.length; i++) {
    const two = program.slice(i, i + 2);
    if (two === "/*" || (two === "*/" && depth > 0)) {
      if (two === "/*" && depth++ === 0) open = i;
      if (two === "*/" && --depth === 0) comments.push({ from: open, to: i + 2 });
      i++;
    } else if (depth === 0 && program[i] === ",") {
      flush();
      commas.push(i);
    } else if (depth === 0) {
      const blank = program[i] <= " ";
      if (!now && blank) continue;
      now ??= { text: "", from: i, to: i, length: 0 };
      now.text += program[i];
      if (!blank) { now.to = i + 1; now.length = now.text.length; } // blanks at the end are no part of it
    }
  }
  if (depth > 0) comments.push({ from: open, to: program.length, open: true });
  flush();
  name(tokens);
  return { tokens, commas, comments };
}

// name gives each token its kind.
function name(tokens) {
  for (const t of tokens) {
    t.kind = t.text === "(" ? "open" : t.text === ")" ? "close" : t.text[0] === ":" ? "word" : number.test(t.text) ? "number" : duration.test(t.text) ? "duration" : "text";
  }
  const mark = (kind, ...items) => items.flat().forEach((t) => { if (t && t.kind === "text") t.kind = kind; });
  let items = []; // the texts and lists since the last word: tokens, and arrays of those in a list
  const outer = [];
  for (const t of tokens) {
    if (t.kind === "open") { outer.push(items); items = []; } else if (t.kind === "close") {
      const list = items;
      items = outer.pop() || [];
      items.push(list);
    } else if (t.kind !== "word") items.push(t);
    else {
      const word = t.text.slice(1), [below, top] = [items.at(-2), items.at(-1)];
      if (compares.has(word) && below && !Array.isArray(below)) mark("key", below);
      if (word === "has" || word === "by" || word === "cg") mark("key", top || []);
      if (word === "get" || word === "fcall" || word === "sset") mark("variable", top || []);
      if (word === "set") mark("variable", below || []);
      items = [];
    }
  }
  const [first, second] = items; // what is still being written
  if (first && second && !Array.isArray(first)) mark("key", first);
}

// spot describes where the position is: in the token text, or where one may begin.
//
//	before   the program up to the token, without comments
//	base     the same up to the list that the position is in, or before
//	typed    what there is of the token before the position
//	from, to where the token is
//	texts    how many texts stand before, since the last word or list
//	list     how many items of the list stand before; -1 outside
//	key      the text just before, "" for none
//	last     whether nothing follows
//	closes   whether the end of a list follows
export function spot(program, at) {
  const { tokens, comments } = read(program);
  if (comments.some((c) => c.from < at && (at < c.to || c.open))) return null;
  const here = tokens.find((t) => t.from <= at && at <= t.to);
  const ahead = tokens.filter((t) => t.to <= at && t !== here);
  const join = (list) => list.map((t) => t.text + ",").join("");
  const opened = [];
  ahead.forEach((t, i) => { if (t.kind === "open") opened.push(i); if (t.kind === "close") opened.pop(); });
  const behind = tokens.filter((t) => t !== here && t.from >= at);
  let texts = 0;
  for (let i = ahead.length - 1; i >= 0 && !/word|open|close/.test(ahead[i].kind); i--) texts++;
  return {
    before: join(ahead), base: join(opened.length ? ahead.slice(0, opened[0]) : ahead),
    typed: here ? program.slice(here.from, at) : "", from: here ? here.from : at, to: here ? here.to : at,
    texts, list: opened.length ? ahead.length - 1 - opened.at(-1) : -1,
    key: texts > 0 ? ahead.at(-1).text : "", last: behind.length === 0, closes: behind[0]?.kind === "close",
  };
}

// literal returns what a text stands for.
export const literal = (text) => text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));

const utf8 = new TextEncoder();

// unit returns the position of a byte of the text.
export function unit(text, byte) {
  let bytes = 0, i = 0;
  for (const c of text) {
    if (bytes >= byte) break;
    bytes += utf8.encode(c).length;
    i += c.length;
  }
  return i;
}
