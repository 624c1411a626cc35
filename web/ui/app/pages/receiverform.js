// The form of a receiver: what its kind takes, and secrets that are written and never read.
import { html, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";

const url = { key: "url", name: "URL", need: true };
const login = [{ key: "username", name: "user name" }, { key: "password", name: "password", secret: true }];
const texts = [{ key: "title", name: "title", long: true, help: "a template; empty is Pulse's own" }, { key: "text", name: "text", long: true, help: "a template; empty is Pulse's own" }];
const most = { key: "max_alerts", name: "alerts in a message", number: true, help: "0: all for programs, 10 for people" };
const wait = { key: "timeout", name: "time-out", help: "of an attempt, 1s to 1m; empty is 10s" };

// What each kind takes, in the order in which it is asked.
const kinds = {
  webhook: ["a program, by Pulse's body or Alertmanager's", [url, { key: "secret", name: "signing secret", secret: true, help: "whsec_ and base64 of 24 to 64 bytes; empty: not signed" }, { key: "format", name: "body", choose: ["", "alertmanager"], help: "– is Pulse's own; incident tools take Alertmanager's" }, ...login, { key: "heartbeat", name: "heartbeat", help: "such as 1m: it then gets heartbeats and nothing else" }, most, wait]],
  slack: ["a channel, by an incoming webhook", [url, ...texts, most, wait]],
  pagerduty: ["PagerDuty, Events API v2", [{ key: "routing_key", name: "routing key", secret: true, need: true }, { ...url, need: false, help: "only for the EU: https://events.eu.pagerduty.com/v2/enqueue" }, ...texts, most, wait]],
  opsgenie: ["Opsgenie, Jira Service Management", [{ key: "api_key", name: "API key", secret: true, need: true }, { ...url, need: false, help: "only for other addresses of the API" }, { key: "priority", name: "priority", choose: ["", "P1", "P2", "P3", "P4", "P5"], help: "empty goes by the severity" }, ...texts, most, wait]],
  teams: ["a channel, by a workflow", [url, ...texts, most, wait]],
  email: ["people, over a mail server", [{ key: "to", name: "to", need: true, list: true, help: "addresses with commas between" }, { key: 'from', name: 'from', need: true }, { key: "smarthost", name: "mail server", need: true, help: "host:port" }, ...login, { key: "subject", name: "subject", long: true, help: "a template; empty is Pulse's own" }, texts[1], most, wait]],
  alertmanager: ["an Alertmanager", [url, ...login, wait]],
};

export function Form({ title, of, onDone, onLeave }) {
  const [r, setR] = useState(() => ({ kind: "webhook", name: "", ...of })), [error, setError] = useState(""), [busy, setBusy] = useState(false);
  const [about, fields] = kinds[r.kind] || ["", []];
  const change = (key, v) => setR((old) => ({ ...old, [key]: v }));
  const save = async (e) => {
    e.preventDefault();
    setBusy(true);
    setError("");
    try { const body = bodyOf(r, fields, of); await api.send("PUT", "/api/v1/receivers/" + encodeURIComponent(r.name.trim()), body); onDone(r.name.trim()); } catch (err) { setError(err.message); setBusy(false); }
  };
  return html`<section class="panel receiver-form" aria-label=${title}><h2>${title}</h2><form onSubmit=${save}>
    ${!of && html`<label><span>name</span><input id="name" class="field" required maxlength="64" pattern="[A-Za-z0-9._\\-]+" autocomplete="off" spellcheck=${false} value=${r.name} onInput=${(e) => change("name", e.target.value)} /><small>letters, digits, . _ -</small></label>
    <label><span>kind</span><select id="kind" class="field" value=${r.kind} onChange=${(e) => change("kind", e.target.value)}>${Object.keys(kinds).map((k) => html`<option value=${k} selected=${k === r.kind}>${k}</option>`)}</select><small>tells ${about}</small></label>`}
    ${fields.map((f) => html`<${Field} key=${r.kind + f.key} f=${f} v=${r[f.key]} stored=${of?.[f.key]} onChange=${(v) => change(f.key, v)} />`)}
    ${!r.heartbeat && html`<label class="check"><input type="checkbox" checked=${r.send_resolved !== false} onChange=${(e) => change("send_resolved", e.target.checked)} /> tell of the end of alerts, too</label>
    <label class="check"><input type="checkbox" checked=${Boolean(r.meta)} onChange=${(e) => change("meta", e.target.checked)} /> tell it of other receivers that fail</label>`}
    ${error && html`<div class="error" role="alert">${error}</div>`}
    <div class="lead"><button class="primary" disabled=${busy}>${busy ? "Saving…" : "Save"}</button><button type="button" onClick=${onLeave}>Leave it</button></div></form></section>`;
}

function Field({ f, v, stored, onChange }) {
  const kept = f.secret && stored === "***", value = f.secret && v === "***" ? "" : Array.isArray(v) ? v.join(", ") : v ?? "", input = (e) => onChange(e.target.value);
  const more = { id: f.key, class: "field", required: f.need && !kept, value, onInput: input, autocomplete: "off", spellcheck: false };
  return html`<label><span>${f.name}</span>${f.choose ? html`<select id=${f.key} class="field" value=${value} onChange=${input}>${f.choose.map((c) => html`<option value=${c} selected=${c === value}>${c || "–"}</option>`)}</select>`
    : f.long ? html`<textarea rows="2" ...${more}></textarea>` : html`<input type=${f.number ? "number" : "text"} min="0" placeholder=${kept ? "stored, not shown; empty keeps it" : ""} ...${{ ...more, class: f.secret ? "field secret" : "field" }} />`}
    ${f.help && html`<small>${f.help}</small>`}</label>`;
}

// bodyOf is what the API takes: nothing of another kind, and for secrets that were not written
// anew the mark that keeps them.
function bodyOf(r, fields, of) {
  const { status, disabled_at, disabled_reason, ...was } = of || {};
  const out = { ...was, name: r.name.trim(), kind: r.kind };
  for (const f of fields) {
    let v = r[f.key];
    if (typeof v === "string") v = v.trim();
    if (f.number) v = Number(v) || 0;
    if (f.list && typeof v === "string") v = v.split(",").map((x) => x.trim()).filter(Boolean);
    if (f.secret && !v && of?.[f.key] === "***") v = "***";
    if (v === undefined || v === "" || v === 0) delete out[f.key]; else out[f.key] = v;
  }
  if (!r.heartbeat) { if (r.send_resolved === false) out.send_resolved = false; else delete out.send_resolved; if (r.meta) out.meta = true; else delete out.meta; }
  return out;
}
