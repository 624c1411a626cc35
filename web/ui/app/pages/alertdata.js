// Alerts as their pages look at them: which are meant, in what order, in which groups.
import { signal } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { number } from "/ui/format.js";

export const order = ["firing", "nodata", "pending", "resolved"];
export const words = { firing: "firing", nodata: "no data", pending: "pending", resolved: "resolved", active: "active", expired: "over" };
export const since = (a) => Date.parse(a.startsAt || a.pendingSince) || 0;
export const ended = (a) => (a.endsAt ? Date.parse(a.endsAt) : 0);
export const open = (a) => a.state !== "resolved";
export const held = (a) => open(a) && (a.silencedBy.length > 0 || a.inhibitedBy.length > 0 || a.mutedBy.length > 0);
// latest returns the alert of two readings whose figures are newer; either may be missing.
export const latest = (a, b) => (!a || (b && Date.parse(b.evaluatedAt) > Date.parse(a.evaluatedAt)) ? b : a);

// figures are those of the newest step, and of one that is over those it began on.
export const figures = (a) => (open(a) ? a : { ...a, ...a.began });

export const pathOf = (incident) => "/alerts/" + encodeURIComponent(incident);

// labels are those that routes and silences know an alert by.
export function labels(a) {
  const all = { ...a.tags, ...a.labels, alertname: a.rule, rule: a.rule, severity: a.severity, owner: a.owner, type: a.absence ? "nodata" : "alert" };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v));
}

// deviation says in a few words how far a value is from what was expected.
export function deviation(a) {
  if (a.value === null || a.value === undefined) return "no data";
  if (a.expected > 0) {
    const part = a.value / a.expected - 1;
    return Math.abs(part) < 0.005 ? "as expected" : part > 9 ? number(a.value / a.expected) + " times" : Math.round(100 * Math.abs(part)) + " % " + (part < 0 ? "below" : "above");
  }
  if (a.lower !== null && a.value < a.lower) return "below " + number(a.lower);
  if (a.upper !== null && a.value > a.upper) return "above " + number(a.upper);
  return "";
}

// quoted writes a value so that matchers read it back.
export const quoted = (value) => (/^[-.\w^~:/@+]+$/.test(value) ? value : JSON.stringify(value));

// matchers reads texts such as region="eu",host=~"a.*": a list of {key, op, value}, or null.
export function matchers(text) {
  const out = [], token = /\s*([^\s=!~,"{}]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",]*)\s*(,|$)/y;
  for (token.lastIndex = 0; token.lastIndex < text.length;) {
    const m = token.exec(text);
    if (!m) return null;
    let value = m[3].trim();
    if (value.startsWith('"')) { try { value = JSON.parse(value); } catch { return null; } }
    let pattern = null;
    if (m[2].endsWith("~")) { try { pattern = new RegExp("^(?:" + value + ")$"); } catch { return null; } }
    out.push({ key: m[1], op: m[2], value, pattern });
  }
  return out;
}

function matches(m, set) {
  const have = set[m.key] || "", hit = m.pattern ? m.pattern.test(have) : have === m.value;
  return m.op.startsWith("!") ? !hit : hit;
}

const mentions = (a, text) => [a.rule, a.cause, a.owner, a.severity, ...[a.tags, a.labels, a.annotations].flatMap((m) => Object.entries(m || {}).map((kv) => kv.join("=")))]
  .some((s) => (s || "").toLowerCase().includes(text));

// chosen returns the alerts that a filter {match, text, held} means, of all states.
export function chosen(list, { rule, owner, match, text, hold }) {
  const ms = matchers(match) || [], part = text.trim().toLowerCase();
  return list.filter((a) => {
    if ((rule && a.rule !== rule) || (owner && a.owner !== owner) || (part && !mentions(a, part))) return false;
    if ((hold === "hide" && held(a)) || (hold === "only" && !held(a))) return false;
    if (ms.length === 0) return true;
    const set = labels(a);
    return ms.every((m) => matches(m, set));
  });
}

// severe is 0 for what pages, 1 for warnings, 2 for the rest.
export const severe = (s) => (/page|crit|emerg|fatal|high|sev-?[01]|^p[01]$/i.test(s) ? 0 : /warn|error|medium|^p2$/i.test(s) ? 1 : 2);

// urgency orders alerts: what somebody is told of before what is held back, pages before
// warnings, then the newest.
export const urgency = (a, b) => held(a) - held(b) || severe(a.severity) - severe(b.severity) || since(b) - since(a);

// grouped returns [{name, list}] by the rule or a label, the most urgent alert first in both.
export function grouped(list, by) {
  const groups = new Map();
  for (const a of list) {
    const name = by === "rule" ? a.rule : labels(a)[by] || "";
    const group = groups.get(name);
    if (group) group.push(a); else groups.set(name, [a]);
  }
  return [...groups].map(([name, all]) => ({ name, list: all.sort(urgency) })).sort((a, b) => urgency(a.list[0], b.list[0]));
}

// The silences that hold something back now, by id; whoever shows them polls them.
export const silences = signal(new Map());
export async function loadSilences() {
  const list = await api.get("/api/v1/silences");
  silences.value = new Map(list.map((s) => [s.id, s]));
}
