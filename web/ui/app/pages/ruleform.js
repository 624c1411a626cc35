// The form of a rule: every key a field, what is wrong with it beside it, and for what can
// be dragged a slider.
import { html, useState } from "/ui/vendor/preact.js";
import { duration, number } from "/ui/format.js";

// The keys of a rule in the order in which they are written.
const order = ["id", "owner", "expr", "step", "grace", "detector", "for", "keep", "flap", "no_data", "absence_after", "severity", "labels", "annotations", "notify"];

// compact is a rule without what is empty, which means the default.
export function compact(rule) {
  const kept = (v) => !(v === undefined || v === null || v === "" || (typeof v === "object" && !Array.isArray(v) && Object.keys(v).length === 0) || (Array.isArray(v) && v.length === 0));
  const out = {};
  for (const key of [...order, ...Object.keys(rule).filter((k) => !order.includes(k))]) {
    const v = rule[key];
    const part = key !== "labels" && v && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).filter(([, x]) => kept(x))) : v;
    if (kept(part)) out[key] = part;
  }
  return out;
}

const ladder = ["0s", "10s", "20s", "30s", "1m", "2m", "3m", "5m", "10m", "15m", "30m", "1h", "2h", "6h", "12h", "1d"];
const holds = ["0s", "10s", "30s", "1m", "90s", "140s", "3m", "5m", "10m", "20m", "30m"];
const long = ["10m", "30m", "1h", "2h", "4h", "8h", "1d", "2d", "1w"];
const direction = { key: "direction", words: ["both", "above", "below"] };
const zone = { key: "timezone", placeholder: "UTC" };
const banded = [
  { key: "threshold", nines: [1.65, 8], base: "0.999", about: "score at which a step is out" }, { key: "width", low: 0.5, high: 12, step: 0.1, base: "the learned chance", about: "instead: deviations at which the band ends" },
  { key: "hold", ladder: holds, base: "140s", about: "how long before what is clear counts" },
];
const more = [{ key: "clear", nines: [1.1, 4], base: "0.985", about: "score below which it is over" }, { key: "rest", ladder: long, base: "150 steps" }, { key: "learn_shift", ladder: long, base: "2h", about: "until a new level is normal" }, { key: "train", ladder: long, base: "100 steps" }];
const alpha = { key: "alpha", low: 0.01, high: 1, step: 0.01, base: "found" }, beta = { key: "beta", low: 0.01, high: 1, step: 0.01, base: "found" };

// What the parameters of each kind are: with low and high a number, with nines a score by
// how many nines it has, with ladder a duration, with level a value of the stream.
export const kinds = {
  auto: { about: "any stream, without being told", keys: [direction, { key: "sensitivity", low: 0, high: 1, step: 0.01, base: "0.5", about: "instead of threshold: from only the grossest to the slightest" }, ...banded], more: [...more, zone] },
  seasonal: { about: "streams that follow the day and the week", keys: [direction, { key: "season", words: ["", "day", "week"] }, ...banded], more: [...more, zone] },
  "double-exponential": { about: "streams that rise and fall", keys: [direction, ...banded], more: [...more, alpha, beta] },
  exponential: { about: "levels without trend", keys: [direction, ...banded], more: [...more, alpha] },
  static: { about: "levels that are wrong whatever came before", keys: [{ key: "above", level: true }, { key: "below", level: true }, { key: "hold", ladder: holds, base: "one step" }], more: [{ key: "clear_above", level: true, base: "above" }, { key: "clear_below", level: true, base: "below" }] },
  signal: { about: "expressions that end in a comparison", keys: [], more: [] },
  absence: { about: "streams that must be there", keys: [{ key: "after", ladder: ladder.slice(3), base: "60s" }], more: [] },
  compare: { about: "counts against a baseline", keys: [{ key: "baseline", wide: true }, direction, { key: "tolerance", low: 0, high: 1, step: 0.01, base: "0" }, { key: "decide_by", ladder: long, base: "never" }], more: [{ key: "error_rate", low: 0.001, high: 0.5, step: 0.001, base: "0.05" }, { key: "split", placeholder: "1, 1:19 or learned" }, { key: "train", ladder: long, base: "1h" }] },
};

// Field is a label with its control, and what is wrong with it.
export function Field({ name, label, findings, children, wide, about }) {
  const mine = findings.filter((f) => f.field === name || f.field?.startsWith(name + ".") && !f.taken || f.field?.startsWith(name + "["));
  return html`<div class=${"field" + (wide ? " wide" : "") + (mine.some((f) => f.level === "error") ? " bad-field" : "")} data-field=${name}><label for=${"f-" + name}>${label || name}${about && html` <span class="soft">${about}</span>`}</label>${children}
    ${mine.map((f) => html`<p class=${f.level} role=${f.level === "error" ? "alert" : null} key=${f.message}>${said(f.message)}</p>`)}</div>`;
}

// said is a finding without the name of the rule.
export const said = (message) => message.replace(/^(rule( "(\\.|[^"])*")?: )+/, "");

const seconds = (text) => { const m = /^([\d.]+)(ms|s|m|h|d|w)$/.exec(text || ""); return m ? Number(m[1]) * { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400, w: 604800 }[m[2]] : NaN; };

// Typed is a field for what is read of its text. The text stays as it was typed while that is
// the value: 0. is read as 0, and goes on to 0.5.
function Typed({ value, show = (v) => v ?? "", read = (text) => text, onChange, ...rest }) {
  const [typed, setTyped] = useState(null), holds = typed !== null && JSON.stringify(read(typed)) === JSON.stringify(value);
  return html`<input type="text" spellcheck=${false} autocomplete="off" ...${rest} value=${holds ? typed : show(value)} onInput=${(e) => { setTyped(e.target.value); onChange(read(e.target.value)); }} />`;
}

// Slider is a text with a slider for it. scale has its positions: count, and both ways.
function Slider({ name, value, base, scale, onChange, disabled, about, findings }) {
  const text = value === undefined || value === null ? "" : String(value), at = scale.at(text === "" ? base : text);
  return html`<${Field} name=${name} label=${name.replace(/^detector\./, "")} about=${about} findings=${findings}><div class="slide">
    <input type="range" min="0" max=${scale.count} step="1" value=${at} disabled=${disabled} aria-label=${name + ", by slider"} aria-valuetext=${text || base || "not given"} onInput=${(e) => onChange(scale.value(Number(e.target.value)))} />
    <${Typed} id=${"f-" + name} value=${value ?? ""} read=${scale.read} placeholder=${base || "none"} disabled=${disabled} onChange=${onChange} />
    ${text !== "" && !disabled && html`<button class="clear" aria-label=${"Leave " + name + " at its default"} title="default" onClick=${() => onChange(undefined)}>×</button>`}</div></${Field}>`;
}

const numeric = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
const between = (low, high, count, round) => ({ count, read: numeric,
  at: (text) => Math.round((Math.max(low, Math.min(high, Number(text))) - low) / (high - low) * count) || 0, value: (i) => round(low + (high - low) * i / count) });
const rungs = (list) => ({ count: list.length - 1, value: (i) => list[i],
  at: (text) => { const s = seconds(text); return Number.isNaN(s) ? 0 : list.reduce((best, x, i) => (Math.abs(seconds(x) - s) < Math.abs(seconds(list[best]) - s) ? i : best), 0); } });
const nines = ([low, high]) => ({ count: 100, read: numeric, at: (text) => Math.round(Math.max(0, Math.min(1, (-Math.log10(1 - Number(text)) - low) / (high - low))) * 100) || 0,
  value: (i) => Number((1 - 10 ** -(low + (high - low) * i / 100)).toPrecision(Math.max(3, Math.ceil(low + (high - low) * i / 100) + 1))) });

// levels is a scale over the values of a stream and a half beyond.
function levels(seen) {
  const [low, high] = seen && seen[1] > seen[0] ? seen : [0, seen?.[1] > 0 ? 2 * seen[1] : 100], room = (high - low) / 2, from = low >= 0 && low - room < 0 ? 0 : low - room, to = high + room;
  const digits = Math.max(0, 3 - Math.ceil(Math.log10(to - from)));
  return between(from, to, 200, (v) => Number(v.toFixed(digits)));
}

function Param({ p, value, seen, findings, onChange, disabled }) {
  const name = "detector." + p.key, given = { name, value, base: p.base, about: p.about, findings, disabled, onChange };
  if (p.words) return html`<${Field} name=${name} label=${p.key} findings=${findings}><select id=${"f-" + name} value=${Array.isArray(value) ? value[0] : value || p.words[0]} disabled=${disabled} onChange=${(e) => onChange(e.target.value === p.words[0] ? undefined : p.key === "season" ? [e.target.value] : e.target.value)}>
    ${p.words.map((w) => html`<option value=${w} selected=${w === (Array.isArray(value) ? value[0] : value || p.words[0])}>${w || "day and week"}</option>`)}</select></${Field}>`;
  if (p.level) return html`<${Slider} ...${given} scale=${levels(seen)} />`;
  if (p.nines) return html`<${Slider} ...${given} scale=${nines(p.nines)} />`;
  if (p.ladder) return html`<${Slider} ...${given} scale=${rungs(p.ladder)} />`;
  if (p.high) return html`<${Slider} ...${given} scale=${between(p.low, p.high, Math.round((p.high - p.low) / p.step), (v) => Number(v.toFixed(3)))} />`;
  return html`<${Text} name=${name} label=${p.key} value=${value} placeholder=${p.placeholder} wide=${p.wide} findings=${findings} disabled=${disabled} onChange=${onChange} />`;
}

const Text = ({ name, label, value, onChange, findings, disabled, placeholder, wide, list, area, about }) => html`<${Field} name=${name} label=${label} wide=${wide} about=${about} findings=${findings}>${area
  ? html`<textarea id=${"f-" + name} rows="2" spellcheck=${false} value=${value ?? ""} disabled=${disabled} placeholder=${placeholder} onInput=${(e) => onChange(e.target.value)}></textarea>`
  : html`<input id=${"f-" + name} type="text" spellcheck=${false} autocomplete="off" list=${list} value=${value ?? ""} disabled=${disabled} placeholder=${placeholder} onInput=${(e) => onChange(e.target.value)} />`}</${Field}>`;

// Detector is the detector's fields: its kind, what can be dragged, and the rest behind.
export function Detector({ draft, onChange, findings, seen, disabled }) {
  const spec = typeof draft.detector === "string" ? { kind: draft.detector } : draft.detector || {}, kind = spec.kind || "signal", of = kinds[kind] || { keys: [], more: [], about: "" };
  const set = (key, v) => onChange({ ...draft, detector: { ...spec, kind, [key]: v } });
  const names = new Set([...of.keys, ...of.more].map((p) => "detector." + p.key)), plain = findings.map((f) => (names.has(f.field) ? { ...f, taken: true } : f));
  const param = (p) => html`<${Param} key=${kind + p.key} p=${p} value=${spec[p.key]} seen=${seen} findings=${findings} disabled=${disabled} onChange=${(v) => set(p.key, v)} />`;
  return html`<fieldset class="fields"><legend>Detector</legend>
    <${Field} name="detector" label="kind" about=${of.about} findings=${plain}><select id="f-detector" value=${kind} disabled=${disabled} onChange=${(e) => { const next = kinds[e.target.value]; const kept = Object.fromEntries(Object.entries(spec).filter(([k]) => [...next.keys, ...next.more].some((p) => p.key === k))); onChange({ ...draft, detector: { ...kept, kind: e.target.value } }); }}>
      ${Object.keys(kinds).map((k) => html`<option value=${k} selected=${k === kind}>${k}</option>`)}${!kinds[kind] && html`<option value=${kind} selected>${kind}</option>`}</select></${Field}>
    ${of.keys.map(param)}
    <${Slider} name="for" value=${draft.for} base="0s" about="out of band until it fires" scale=${rungs(ladder)} findings=${findings} disabled=${disabled} onChange=${(v) => onChange({ ...draft, for: v })} />
    <${Slider} name="keep" value=${draft.keep} base="one step" about="in band until it is over" scale=${rungs(ladder)} findings=${findings} disabled=${disabled} onChange=${(v) => onChange({ ...draft, keep: v })} />
    ${of.more.length > 0 && html`<details class="wide" open=${of.more.some((p) => spec[p.key] !== undefined) || findings.some((f) => of.more.some((p) => f.field === "detector." + p.key))}><summary>More of ${kind}</summary><div class="fields">${of.more.map(param)}</div></details>`}</fieldset>`;
}

// Pairs edits an object of texts, a line each.
function Pairs({ name, value, onChange, findings, disabled, first = [] }) {
  const [adding, setAdding] = useState(""), keys = [...first, ...Object.keys(value || {}).filter((k) => !first.includes(k))];
  const add = () => { const key = adding.trim(); if (key) onChange({ ...value, [key]: value?.[key] ?? "" }); setAdding(""); };
  const own = new Set(keys.map((k) => name + "." + k)), rest = findings.filter((f) => !own.has(f.field));
  return html`<fieldset class="fields pairs"><legend>${name}</legend>${keys.map((key) => html`<${Field} key=${key} name=${name + "." + key} label=${key} wide=${true} findings=${findings}><div class="slide"><input id=${"f-" + name + "." + key} type="text" spellcheck=${false} value=${value?.[key] ?? ""} disabled=${disabled} onInput=${(e) => onChange({ ...value, [key]: e.target.value })} />
      ${!first.includes(key) && !disabled && html`<button class="clear" aria-label=${"Remove " + key} onClick=${() => { const next = { ...value }; delete next[key]; onChange(next); }}>×</button>`}</div></${Field}>`)}
    ${rest.filter((f) => f.field === name || f.field?.startsWith(name + ".")).map((f) => html`<p class=${f.level} key=${f.message}>${said(f.message)}</p>`)}
    ${!disabled && html`<div class="slide wide"><input type="text" aria-label=${"Name of another of the " + name} placeholder="another key" value=${adding} onInput=${(e) => setAdding(e.target.value)} onKeyDown=${(e) => { if (e.key === "Enter") { e.preventDefault(); add(); } }} /><button disabled=${!adding.trim()} onClick=${add}>Add</button></div>`}</fieldset>`;
}

// Form is all fields but the detector's.
export function Form({ draft, onChange, findings, fixed, disabled, receivers, check }) {
  const set = (key) => (v) => onChange({ ...draft, [key]: v }), flap = draft.flap, notify = Array.isArray(draft.notify) ? draft.notify : draft.notify ? [draft.notify] : [];
  const shared = { findings, disabled }, unknown = notify.filter((n) => !receivers?.includes(n));
  return html`<fieldset class="fields"><legend>Rule</legend>
      <${Text} name="id" value=${draft.id} disabled=${disabled || fixed} findings=${findings} onChange=${set("id")} placeholder="starts-drop" />
      <${Text} name="severity" value=${draft.severity} ...${shared} list="severities" placeholder="warn" onChange=${set("severity")} /><datalist id="severities"><option value="page" /><option value="warn" /><option value="info" /></datalist>
      <${Text} name="expr" label="expression" wide=${true} area=${true} value=${draft.expr} ...${shared} placeholder="name,starts,:eq,:sum,(,region,),:by" onChange=${set("expr")} />
      ${check?.valid && html`<p class="wide soft">${check.groups.toLocaleString("en")} ${check.groups === 1 ? "group" : "groups"} now${check.keys?.length ? ", told apart by " + check.keys.join(", ") : ""}; a step is ${duration(check.step / 1000)}${check.samples[0] ? "; the first is at " + number(check.samples[0].value) : ""}</p>`}</fieldset>
    <${Pairs} name="annotations" value=${draft.annotations} first=${["summary", "runbook"]} ...${shared} onChange=${set("annotations")} />
    ${check?.annotations?.summary && html`<p class="soft reads">reads: ${check.annotations.summary}</p>`}
    <details class="wide"><summary>Owner, step, no data, flapping, labels</summary><fieldset class="fields"><legend>Times</legend>
      <${Text} name="owner" value=${draft.owner} ...${shared} placeholder="default" onChange=${set("owner")} /><${Text} name="step" value=${draft.step} ...${shared} placeholder="the server's" onChange=${set("step")} />
      <${Text} name="grace" value=${draft.grace} ...${shared} placeholder="the server's" onChange=${set("grace")} />
      <${Field} name="no_data" label="no data" findings=${findings}><select id="f-no_data" disabled=${disabled} value=${draft.no_data || "auto"} onChange=${(e) => set("no_data")(e.target.value)}>${["auto", "ok", "alert", "keep", "zero"].map((x) => html`<option value=${x} selected=${x === (draft.no_data || "auto")}>${x}</option>`)}</select></${Field}>
      <${Text} name="absence_after" label="no-data alert after" value=${draft.absence_after} ...${shared} placeholder="by the sources" onChange=${set("absence_after")} />
      <${Field} name="flap" label="flapping" findings=${findings}><div class="slide"><select id="f-flap" disabled=${disabled} value=${flap === "off" ? "off" : "on"} onChange=${(e) => set("flap")(e.target.value === "off" ? "off" : undefined)}><option value="on" selected=${flap !== "off"}>is damped</option><option value="off" selected=${flap === "off"}>is not damped</option></select>
        ${flap !== "off" && html`<${Typed} aria-label="flap.times" placeholder="5 times" disabled=${disabled} value=${flap?.times} read=${numeric} onChange=${(times) => set("flap")({ ...flap, times })} /><input type="text" aria-label="flap.calm" placeholder="10m calm" disabled=${disabled} value=${flap?.calm ?? ""} onInput=${(e) => set("flap")({ ...flap, calm: e.target.value })} />`}</div></${Field}></fieldset>
      <${Pairs} name="labels" value=${draft.labels} ...${shared} onChange=${set("labels")} /></details>
    <fieldset class="fields"><legend>Whom it notifies</legend><${Field} name="notify" label="receivers" wide=${true} about="none: as the routes say" findings=${findings}>
      ${receivers ? html`<div class="checks" id="f-notify">${[...receivers, ...unknown].map((r) => html`<label key=${r} class="check"><input type="checkbox" disabled=${disabled} checked=${notify.includes(r)} onChange=${(e) => set("notify")(e.target.checked ? [...notify, r] : notify.filter((n) => n !== r))} /> ${r}</label>`)}${receivers.length === 0 && html`<span class="soft">There is no receiver yet.</span>`}</div>`
        : html`<${Typed} id="f-notify" disabled=${disabled} value=${notify} show=${(list) => list.join(", ")} read=${(text) => text.split(",").map((x) => x.trim()).filter(Boolean)} placeholder="oncall, chat" onChange=${set("notify")} />`}</${Field}></fieldset>`;
}
