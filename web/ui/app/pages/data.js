// Data: which names, keys and values the series have, what came and went, and the limits.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { useKeys } from "/ui/keys.js";
import { duration } from "/ui/format.js";
import { go } from "/ui/router.js";
import { asText, Bar, count, explore, Trouble, useAsk, useQuery, useRows, Waiting } from "/ui/pages/parts.js";

const windows = [["1h", "1 hour"], ["6h", "6 hours"], ["24h", "day"]];
const page = 25;

// narrowed is the query with one more tag.
const narrowed = (q, key, value) => { const one = asText(key) + "," + asText(value) + ",:eq"; return q ? q + "," + one + ",:and" : one; };

// parts splits a query that this page has made into its tags; null when it is another one.
function parts(q) {
  const words = q.split(","), out = [];
  for (let i = 0; i < words.length; i += out.length > 1 ? 4 : 3) {
    const [key, value, eq, and] = words.slice(i, i + 4);
    if (eq !== ":eq" || (out.length > 0 && and !== ":and")) return null;
    out.push({ key, value });
  }
  return out;
}
const joined = (list) => list.map(({ key, value }, i) => key + "," + value + ",:eq" + (i ? ",:and" : "")).join(",");
const plain = (text) => text.replace(/\\u([0-9a-f]{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
const url = (p) => "/data" + (p.size ? "?" + p : "");

export function Page({ search }) {
  const [p, set] = useQuery(search);
  const q = p.get("q") || "", span = windows.some(([w]) => w === p.get("window")) ? p.get("window") : "1h";
  const whole = useAsk("/api/v1/cardinality?" + new URLSearchParams({ q, window: span, limit: 200 }), 15_000);
  const keys = whole.data?.keys || [];
  const key = p.get("key") || (parts(q)?.some((x) => x.key === "name") ? keys.find((k) => k.values > 1)?.key : "") || "name";
  const to = (changes) => { const next = new URLSearchParams(p); for (const [k, v] of Object.entries({ find: "", skip: "", ...changes })) if (v) next.set(k, v); else next.delete(k); go(url(next)); };
  useKeys({ "/": ["find a value", () => document.getElementById("find")?.focus()] });
  useRows("#values");
  return html`<${Filter} q=${q} to=${to} of=${whole} selected=${key} />
    <${Trouble} of=${whole} what="the series" />
    ${!whole.data ? !whole.error && html`<section class="panel"><${Waiting} what="names and keys" /></section>` : whole.data.series === 0 ? html`<section class="panel"><p class="empty">${q ? "No series has these tags." : "There are no series yet. Push something, and it is here at once."}</p></section>` : html`
      <div class="pages-two"><div class="column"><${Keys} list=${keys} total=${whole.data.keyCount} selected=${key} to=${to} /><${Churn} of=${whole.data} span=${span} set=${set} to=${to} q=${q} /></div>
        <div class="column"><${Values} key=${key} name=${key} q=${q} p=${p} set=${set} to=${to} /><${Limits} of=${whole.data} to=${to} /></div></div>`}`;
}

function Filter({ q, to, of, selected }) {
  const [text, setText] = useState(q), list = q ? parts(q) : [];
  useEffect(() => setText(q), [q]);
  const all = q || ":true", lines = all + ",:sum,(," + asText(selected) + ",),:by,max,20,:topk";
  return html`<section class="panel" aria-label="Filter"><div class="lead"><h2>${of.data ? count(of.data.series) + " series" : "Series"}</h2>
    ${list?.map((x, i) => html`<span class="chip" key=${i}><span class="mono">${plain(x.key)}=${plain(x.value)}</span><button aria-label=${"without " + plain(x.key) + "=" + plain(x.value)} onClick=${() => to({ q: joined(list.filter((_, j) => j !== i)), key: "" })}>×</button></span>`)}
    ${q && html`<button onClick=${() => to({ q: "", key: "" })}>All series</button>`}
    <a class="button end" href=${explore(lines)}>Open in Explore</a></div>
    <form class="line" onSubmit=${(e) => { e.preventDefault(); to({ q: text.trim(), key: "" }); }}><input id="filter" class="field mono" spellcheck=${false} aria-label="Query of the Atlas Stack Language that selects series" placeholder="all series; a query such as name,starts,:eq selects some" value=${text} onInput=${(e) => setText(e.target.value)} />
    <button>Select</button></form></section>`;
}

function Keys({ list, total, selected, to }) {
  const [most, setMost] = useState(25);
  return html`<section class="panel" aria-label="Keys"><h2>Keys by number of values</h2>
    <table id="keys"><thead><tr><th>key</th><th class="num">values</th><th class="num">series</th></tr></thead>
    <tbody>${list.slice(0, most).map((k) => html`<tr key=${k.key} class=${k.key === selected ? "at" : ""}><td class="mono"><button class="plain" aria-pressed=${String(k.key === selected)} onClick=${() => to({ key: k.key })}>${k.key}</button></td>
      <td class="num">${count(k.values)}</td><td class="num">${count(k.series)}</td></tr>`)}</tbody></table>
    ${list.length > most && html`<button class="more" onClick=${() => setMost(most + 100)}>Show ${Math.min(100, list.length - most)} more of ${count(total)}</button>`}</section>`;
}

function Values({ name, q, p, set, to }) {
  const find = p.get("find") || "", skip = Number(p.get("skip")) || 0;
  const [text, setText] = useState(find), typing = useRef(null);
  useEffect(() => setText(find), [find]);
  useEffect(() => () => clearTimeout(typing.current), []);
  const path = "/api/v1/cardinality/" + encodeURIComponent(name) + "?" + new URLSearchParams({ q, find, offset: skip, limit: page });
  const of = useAsk(path, 15_000), d = of.data;
  const input = (e) => { const v = e.target.value; setText(v); clearTimeout(typing.current); typing.current = setTimeout(() => set({ find: v, skip: "" }), 200); };
  return html`<section class="panel" aria-label="Values"><div class="lead"><h2>${name === "name" ? "Names" : html`Values of <span class="mono">${name}</span>`} by series</h2>
    ${d && html`<span class="soft">${count(d.values)} ${d.values === 1 ? "value" : "values"}</span>`}<input id="find" class="field end" type="search" placeholder="find" aria-label=${"Find values of " + name} value=${text} onInput=${input} /></div>
    <${Trouble} of=${of} what=${"values of " + name} />
    ${!d ? html`<${Waiting} what="values" />` : d.items.length === 0 ? html`<p class="soft">${find ? "No value contains “" + find + "”." : "No series has this key."}</p>` : html`
    <table id="values" aria-busy=${String(of.stale)}><thead><tr><th>value</th><th class="num">series</th><th class="num">share</th><th></th></tr></thead><tbody>
    ${d.items.map((v) => html`<tr key=${v.value}><td class="mono"><button class="plain" title="only the series with this tag" onClick=${() => to({ q: narrowed(q, name, v.value), key: "" })}>${v.value}</button></td>
      <td class="num">${count(v.series)}</td><td class="num">${share(v.series, d.series)}</td><td class="part"><meter min="0" max=${d.series} value=${v.series} aria-hidden="true"></meter></td></tr>`)}</tbody></table>
    ${(skip > 0 || d.next) && html`<div class="lead more"><button disabled=${skip === 0} onClick=${() => set({ skip: Math.max(0, skip - page) || "" })}>Before</button>
      <span class="soft">${count(skip + 1)} to ${count(skip + d.items.length)} of ${count(d.found)}</span><button disabled=${!d.next} onClick=${() => set({ skip: d.next })}>Next</button></div>`}`}</section>`;
}

const share = (n, of) => { const x = (n / of) * 100; return (x >= 10 ? x.toFixed(0) : x >= 0.1 ? x.toFixed(1) : "<0.1") + " %"; };

function Churn({ of, span, set, to, q }) {
  const c = of.churn, worst = c.keys.filter((k) => k.key !== "name").slice(0, 5);
  return html`<section class="panel" aria-label="Churn"><div class="lead"><h2>Came and went</h2><span class="segments end" role="group" aria-label="Window">${windows.map(([w, text]) => html`<button key=${w} aria-pressed=${String(w === span)} onClick=${() => set({ window: w === "1h" ? "" : w })}>${text}</button>`)}</span></div>
    <p id="churn"><b>${count(c.new)} new</b> and <b>${count(c.gone)} gone</b> of ${count(of.series)} series in the last ${duration(c.windowMs / 1000)}. <span class="soft">Gone: no value for ${duration(c.silentMs / 1000)}.</span></p>
    ${c.new > 0 && worst.length > 0 && html`<p>The new ones bring most values of ${worst.map((k, i) => html`${i > 0 && ", "}<button class="plain mono" onClick=${() => to({ key: k.key })}>${k.key}</button> (${count(k.values)})`)}.</p>`}
    ${c.names.length > 0 && html`<table><thead><tr><th>name</th><th class="num">new</th><th class="num">gone</th></tr></thead><tbody>${c.names.slice(0, 10).map((n) => html`<tr key=${n.name}><td class="mono"><button class="plain" onClick=${() => to({ q: narrowed(q, "name", n.name), key: "" })}>${n.name}</button></td><td class="num">${count(n.new)}</td><td class="num">${count(n.gone)}</td></tr>`)}</tbody></table>`}</section>`;
}

const limits = [["series", "series"], ["valuesPerKey", "values of one key"], ["keys", "keys"], ["pairs", "tags"], ["newSeriesBurst", "new series at once"]];

function Limits({ of, to }) {
  const r = of.refused;
  return html`<section class="panel" aria-label="Limits"><h2>Limits</h2>
    ${limits.map(([key, name]) => of.limits[key] && html`<${Bar} key=${key} name=${name} used=${of.limits[key].used} limit=${of.limits[key].limit} />`)}
    <h3>Refused</h3>
    ${r.total === 0 ? html`<p class="soft">No series was refused since the start.</p>` : html`<p id="refused"><b>${count(r.total)} new series</b> were refused since the start: ${Object.entries(r.byLimit).map(([k, n]) => count(n) + " by the limit on " + k).join(", ")}.</p>
      <p class="fix"><b>What to do:</b> stop sending tags whose values are ever new, such as ids and addresses; if the series are wanted, raise the limit.</p>
      <${Offenders} what="names that would have grown" list=${r.names} onPick=${(name) => to({ q: narrowed("", "name", name), key: "" })} />
      <${Offenders} what="keys with ever new values" list=${r.keys} onPick=${(k) => to({ key: k })} />`}</section>`;
}

function Offenders({ what, list, onPick }) {
  if (list.length === 0) return null;
  return html`<table><thead><tr><th>${what}</th><th class="num">refused lately</th></tr></thead><tbody>${list.map((x) => html`<tr key=${x.text}><td class="mono"><button class="plain" onClick=${() => onPick(x.text)}>${x.text}</button></td>
    <td class="num">${x.count === x.atLeast ? count(x.count) : count(x.atLeast) + " to " + count(x.count)}</td></tr>`)}</tbody></table>`;
}
