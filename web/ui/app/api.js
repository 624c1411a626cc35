// The server's API as the page uses it.

// get throws an Error whose member passing says that asking again later may help.
async function get(path, signal) {
  const failed = (text, passing) => Object.assign(new Error(text), { passing });
  const res = await fetch(path, { signal, headers: { Accept: "application/json" } }).catch((err) => {
    throw err.name === "AbortError" ? err : failed("the server does not answer", true);
  });
  const body = await res.json().catch(() => ({}));
  if (!res.ok) {
    const text = Array.isArray(body.message) ? body.message.join("; ") : body.message;
    const where = body.offset >= 0 ? " (at " + (body.offset + 1) + (body.token ? ": " + body.token : "") + ")" : "";
    throw failed(text ? text + where : res.status + " " + res.statusText, res.status === 429 || res.status >= 500);
  }
  return body;
}

// keys returns one text per line that tells it from the others, also from those of the same label.
export function keys(lines) {
  const seen = new Map();
  return lines.map(({ label }) => {
    const n = seen.get(label) || 0;
    seen.set(label, n + 1);
    return n === 0 ? label : label + "\u0000" + n;
  });
}

const number = (v) => (typeof v === "number" ? v : null); // "NaN" and null are gaps

// graph evaluates q over (start, end] ms and returns columns: times in seconds
// and one array per line.
export async function graph(q, start, end, width, signal) {
  const p = new URLSearchParams({ q, s: String(start), e: String(end), w: String(Math.max(100, Math.min(1440, Math.round(width)))), format: "json" });
  const g = await get("/api/v1/graph?" + p, signal);
  const lines = g.legend.map((label, j) => ({ label, tags: g.metrics[j], values: g.values.map((row) => number(row[j])) }));
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

export const rules = () => get("/api/v1/rules");
export const alerts = () => get("/api/v1/alerts");
export const status = () => get("/api/v1/status");

// follow calls onStep for every closed step of q until the returned function is
// called. The browser reconnects by itself and resumes after the last step seen;
// onEnd is called when it has given up, because the server refused.
export function follow(q, step, onStep, onState, onEnd) {
  const p = new URLSearchParams({ q });
  if (step) p.set("step", step + "ms");
  const source = new EventSource("/api/v1/stream?" + p);
  source.onopen = () => onState(true);
  source.onerror = () => { onState(false); if (source.readyState === EventSource.CLOSED) onEnd(); };
  source.onmessage = (e) => onStep(JSON.parse(e.data));
  return () => source.close();
}
