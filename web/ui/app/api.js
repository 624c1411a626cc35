// The server's API as the page uses it.

// The token that requests carry: kept for this tab, until it closes.
const place = "pulse.token";
let token = "";
try { token = sessionStorage.getItem(place) || ""; } catch { /* then it lasts until the page is left */ }
export const hasToken = () => token !== "";
export function setToken(text) {
  token = text.trim();
  try { if (token) sessionStorage.setItem(place, token); else sessionStorage.removeItem(place); } catch { /* as above */ }
}
let denied = () => {};
export function onDenied(f) { denied = f; } // f is called when the server wants another token

const headers = (accept) => (token ? { Accept: accept, Authorization: "Bearer " + token } : { Accept: accept });
function look(res, sent) { if (res.status === 401 && sent === token) denied(); return res; }

// ask throws an Error whose member passing says that asking again later may help,
// status the one that the server answered with, 0 when it did not, and program, of one
// about an expression, where in it: {message, offset, token, hint}, offset in bytes.
async function ask(method, path, content, signal, more) {
  const failed = (text, passing, status, program) => Object.assign(new Error(text), { passing, status, program });
  const sent = token, change = method === "GET" ? {} : { "Content-Type": "application/json" };
  const res = await fetch(path, { method, signal, headers: { ...headers("application/json"), ...change, ...more }, body: content === undefined ? undefined : JSON.stringify(content) }).catch((err) => {
    throw err.name === "AbortError" ? err : failed("the server does not answer", true, 0);
  });
  look(res, sent);
  const body = await res.json().catch((err) => { if (err.name === "AbortError") throw err; return {}; });
  if (!res.ok && res.status !== 304) {
    const text = Array.isArray(body.message) ? body.message.join("; ") : body.message;
    const where = body.offset >= 0 ? " (at " + (body.offset + 1) + (body.token ? ": " + body.token : "") + ")" : "";
    const hint = body.hint ? " — " + body.hint : "";
    throw failed(text ? text + where + hint : res.status + " " + res.statusText, res.status === 429 || res.status >= 500, res.status, body.offset >= 0 ? body : null);
  }
  return { body, next: /<([^>]+)>; rel="next"/.exec(res.headers.get("Link") || "")?.[1] || "", tag: res.headers.get("ETag"), status: res.status };
}
export const raw = (path) => { const sent = token; return fetch(path, { headers: headers("*/*") }).then((res) => look(res, sent)); };
export const get = async (path, signal) => (await ask("GET", path, undefined, signal)).body;
export const page = (path, signal) => ask("GET", path, undefined, signal); // {body, next, tag}: the path of the next page, "" for the last, and the version
export const send = async (method, path, content, signal, more) => (await ask(method, path, content, signal, more)).body; // more: headers

// keys returns one text per line that tells it from the others, also from those of the same label.
export function keys(lines) {
  const seen = new Map();
  return lines.map(({ label }) => {
    const n = seen.get(label) || 0;
    seen.set(label, n + 1);
    return n === 0 ? label : label + "\u200b" + n;
  });
}

const number = (v) => (typeof v === "number" ? v : null); // "NaN" and null are gaps

// graph evaluates q over (start, end] ms, in at most width steps or in steps of step, and
// returns columns: times in seconds and one array per line.
export async function graph(q, start, end, width, signal, step) {
  const p = new URLSearchParams({ q, s: String(start), e: String(end), w: String(step ? 1440 : Math.max(100, Math.min(1440, Math.round(width)))), format: "json" });
  if (step) p.set("step", step);
  const g = await get("/api/v1/graph?" + p, signal);
  const lines = g.legend.map((label, j) => ({ label, tags: g.metrics[j], values: [] }));
  for (const row of g.values) for (let j = 0; j < lines.length; j++) lines[j].values.push(number(row[j]));
  keys(lines).forEach((key, j) => { lines[j].key = key; });
  return {
    q, step: g.step, lines,
    times: g.values.map((_, i) => (g.start + i * g.step) / 1000),
    notices: g.notices || [],
  };
}

// band returns a rule's expected band, one entry per group.
export async function band(id, start, end, signal) {
  const p = new URLSearchParams({ s: String(start), e: String(end), format: "json" });
  return get("/api/v1/rules/" + encodeURIComponent(id) + "/band?" + p, signal);
}

// rules returns the rules and their version, or null while they are still those of a version.
export const rules = async (version) => {
  const { body, tag, status } = await ask("GET", "/api/v1/rules", undefined, undefined, version ? { "If-None-Match": version } : {});
  return status === 304 ? null : { list: body, version: tag };
};
export const alertChanges = (since) => get("/api/v1/alerts/changes?since=" + since); // {revision, complete, alerts, gone}
export const alert = (id) => get("/api/v1/alerts/" + encodeURIComponent(id)); // with why
export const status = () => get("/api/v1/status");

// What an expression that is being written has left so far, what may come next, all words,
// and the values of a key with how many series have each.
const about = (path, p) => get(path + "?" + new URLSearchParams(p));
export const trace = (q) => about("/api/v1/expr/debug", { typed: "1", q });
export const complete = (q, limit) => about("/api/v1/expr/complete", { typed: "1", q, limit: String(limit) });
export const words = () => get("/api/v1/expr/words");
export const values = (key, q, limit) => about("/api/v1/tags/" + encodeURIComponent(key), { verbose: "1", limit: String(limit), ...(q ? { q } : {}) });

// events calls onEvent with the fields of each event of a body, until that ends, and alive
// whenever something came.
async function events(body, onEvent, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = "", done = false; !done;) {
    alive();
    const part = await reader.read();
    done = part.done;
    text += part.value || "";
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = { id: "", data: "" };
      for (const line of block.split("\n")) {
        const at = line.indexOf(": ");
        if (at > 0) event[line.slice(0, at)] = line.slice(at + 2);
      }
      if (event.data) onEvent(event);
    }
  }
}

// follow calls onStep for every closed step of q until the returned function is
// called. It reconnects by itself and resumes after the last step seen; onEnd is
// called when it has given up, because the server refused. An EventSource would
// do the same, but cannot send a token.
export const follow = (q, step, onStep, onState, onEnd) => followAll([{ q, step, onStep, onEnd }], onState);

const quiet = 35e3; // ms without a word of the server, which sends one every 10 s: after a sleep a connection may be there in name only

// followAll does so for several over one connection; of each, last is the time of its last
// step, 0 before. The server may refuse some of them.
export function followAll(list, onState) {
  const p = new URLSearchParams(list.map(({ q }) => ["q", q]));
  if (list.some(({ step }) => step)) for (const { step } of list) p.append("step", step ? step + "ms" : "");
  let timer = null, abort = null, stopped = false;
  const run = async () => {
    const own = (abort = new AbortController()), alive = () => { clearTimeout(timer); timer = setTimeout(() => own.abort(), quiet); };
    try {
      const sent = token, resume = list.some((x) => x.last) ? { "Last-Event-ID": list.map((x) => x.last || 0).join(",") } : {};
      alive();
      const res = look(await fetch("/api/v1/stream?" + p, { signal: own.signal, headers: { ...headers("text/event-stream"), ...resume } }), sent);
      if (stopped) return;
      if (!res.ok) { clearTimeout(timer); onState(false); for (const x of list) x.onEnd(); return; }
      onState(true);
      await events(res.body, ({ data }) => {
        const step = JSON.parse(data), x = list[step.q || 0];
        if (step.type === "error") { x.onEnd(); return; }
        x.last = step.t;
        x.onStep(step);
      }, alive);
    } catch { /* the connection broke */ }
    if (stopped) return;
    onState(false);
    clearTimeout(timer);
    timer = setTimeout(run, 1000);
  };
  void run();
  return () => { stopped = true; clearTimeout(timer); abort.abort(); };
}
