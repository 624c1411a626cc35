// The filters of alerts, as the address has them.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import { useKeys } from "/ui/keys.js";
import { rules } from "/ui/shared.js";
import { held, labels, matchers, order, quoted, words } from "/ui/pages/alertdata.js";

// read takes the filters from the query of an address.
export function read(search) {
  const p = new URLSearchParams(search), text = (name) => p.get(name) || "";
  return { states: text("state").split(",").filter((s) => order.includes(s)), rule: text("rule"), owner: text("owner"), match: text("match"), text: text("text"),
    hold: text("held"), by: text("by") || "rule", after: text("after"), sel: text("sel"), silence: text("silence"), whole: p.has("whole") };
}

// write is the query that read reads.
export function write(f, view) {
  const p = new URLSearchParams();
  if (view !== "now") p.set("view", view);
  for (const [name, value] of Object.entries({ state: f.states.join(","), rule: f.rule, owner: f.owner, match: f.match, text: f.text, held: f.hold,
    by: f.by === "rule" ? "" : f.by, after: f.after, sel: f.sel, silence: f.silence, whole: f.whole ? "1" : "" })) if (value) p.set(name, value);
  return p.size > 0 ? "?" + p : "";
}

// query is what the server is asked for the history.
export function query(f) {
  const p = new URLSearchParams(), ms = [f.rule && "rule=" + quoted(f.rule), f.owner && "owner=" + quoted(f.owner), f.match].filter(Boolean);
  if (f.states.length > 0) p.set("state", f.states.join(","));
  if (ms.length > 0) p.set("match", ms.join(","));
  if (f.text) p.set("text", f.text);
  return p;
}

// Typed is a text field that tells of a change when somebody stops typing.
export function Typed({ value, onChange, ...rest }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onChange(text), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<input type="text" value=${text} spellcheck=${false} autocomplete="off" ...${rest} onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => { if (e.key === "Enter") onChange(text); }} />`;
}

const byName = (names) => [...new Set(names)].filter(Boolean).sort();

// Filters shows them; all are the alerts to choose from.
export function Filters({ f, all, view, change }) {
  useKeys({ "/": ["filter by text", () => document.getElementById("alert-text").focus()] }, []);
  const count = (state) => all.filter((a) => a.state === state).length, toggle = (state) => change({ states: f.states.includes(state) ? f.states.filter((s) => s !== state) : [...f.states, state] });
  const pairs = byName(all.slice(0, 500).flatMap((a) => Object.entries({ ...a.tags, ...a.labels }).map(([k, v]) => k + "=" + quoted(v)))), tagKeys = byName(all.slice(0, 500).flatMap((a) => Object.keys({ ...a.tags, ...a.labels })));
  const owners = byName([...rules.value.map((r) => r.owner), f.owner]), ids = byName([...rules.value.map((r) => r.id), ...all.map((a) => a.rule), f.rule]);
  const keys = ["rule", "severity", "owner", ...tagKeys.filter((k) => !["rule", "severity", "owner", "name"].includes(k))];
  const quiet = all.filter(held).length, wrong = matchers(f.match) === null;
  const [more, setMore] = useState(f.rule + f.owner + f.match + f.text + f.hold !== "");
  const none = f.states.length + f.rule.length + f.owner.length + f.match.length + f.text.length + f.hold.length === 0;
  return html`<section class=${"panel filters" + (more ? " unfolded" : "")} aria-label="Filters">
    <div class="states" role="group" aria-label="State">${order.map((s) => html`<button key=${s} class=${"state " + s} aria-pressed=${String(f.states.includes(s))} onClick=${() => toggle(s)}>${words[s]}${view === "now" && count(s) > 0 ? html` <span class="count">${count(s)}</span>` : ""}</button>`)}<button class="plain fold" aria-expanded=${String(more)} onClick=${() => setMore(!more)}>Filter</button></div>
    <label class="grow">Text <${Typed} id="alert-text" type="search" value=${f.text} placeholder="rule, tag, words …" onChange=${(text) => change({ text, after: "" })} /></label>
    <label>Rule <select value=${f.rule} onChange=${(e) => change({ rule: e.target.value, after: "" })}><option value="">all</option>${ids.slice(0, 1000).map((id) => html`<option key=${id} value=${id} selected=${id === f.rule}>${id}</option>`)}</select></label>
    ${owners.length > 1 && html`<label>Owner <select value=${f.owner} onChange=${(e) => change({ owner: e.target.value, after: "" })}><option value="">all</option>${owners.map((o) => html`<option key=${o} value=${o} selected=${o === f.owner}>${o}</option>`)}</select></label>`}
    <label>Tags <${Typed} list="alert-pairs" value=${f.match} placeholder="region=eu" aria-invalid=${String(wrong)} onChange=${(match) => change({ match, after: "" })} /></label>
    <datalist id="alert-pairs">${pairs.slice(0, 200).map((p) => html`<option key=${p} value=${p} />`)}</datalist>
    ${view === "now" && html`<label>Group by <select value=${f.by} onChange=${(e) => change({ by: e.target.value })}>${byName([...keys, f.by]).map((k) => html`<option key=${k} value=${k} selected=${k === f.by}>${k}</option>`)}</select></label>`}
    ${view === "now" && (quiet > 0 || f.hold) && html`<label>Held back <select value=${f.hold} onChange=${(e) => change({ hold: e.target.value })}>${[["", "shown (" + quiet + ")"], ["hide", "hidden"], ["only", "only these"]].map(([v, text]) => html`<option key=${v} value=${v} selected=${v === f.hold}>${text}</option>`)}</select></label>`}
    ${!none && html`<button class="plain" onClick=${() => change({ states: [], rule: "", owner: "", match: "", text: "", hold: "", after: "" })}>Clear</button>`}
    ${wrong && html`<p class="notice">Tags are written as region=eu, host=~"a.*", team!=web, with commas between them.</p>`}</section>`;
}
