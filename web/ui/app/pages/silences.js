// Silences: active, upcoming, and those that are over; what each holds back.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, exact, tags } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { note, place } from "/ui/router.js";
import { alertList, repeat } from "/ui/shared.js";
import { When } from "/ui/pages/alertbits.js";
import { loadSilences, pathOf, quoted, silences, words } from "/ui/pages/alertdata.js";
import { SilenceDialog } from "/ui/pages/silencing.js";

const titles = { active: "Active", pending: "Upcoming", expired: "Over" };
const text = (m) => m.key + m.op + quoted(m.value);

export function Silences({ say }) {
  const read = () => { const p = new URLSearchParams(place.value.search); return { id: p.get("id") || "", text: p.get("text") || "", edit: p.get("edit") || "", fresh: p.has("new") }; };
  const [f, setF] = useState(read), [state, setState] = useState({});
  useEffect(() => setF(read()), [place.value]);
  useEffect(() => repeat(3000, () => loadSilences().then(() => setState({ loaded: true }), (err) => setState({ loaded: true, error: err.message }))), []);
  const change = (part) => {
    const next = { ...f, ...part }, p = new URLSearchParams();
    for (const name of ["id", "text", "edit"]) if (next[name]) p.set(name, next[name]);
    if (next.fresh) p.set("new", "1");
    setF(next);
    note(p.size > 0 ? "?" + p : "");
  };
  const part = f.text.trim().toLowerCase();
  const list = [...silences.value.values()].filter((s) => !part || [s.author, s.comment, ...s.matchers.map(text)].some((x) => x.toLowerCase().includes(part)));
  const move = (by) => { const at = list.findIndex((s) => s.id === f.id), next = list[at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + by))]; if (next) { change({ id: next.id }); document.getElementById("silence-" + next.id)?.scrollIntoView({ block: "nearest" }); } };
  useKeys({ j: ["the next silence", () => move(1)], k: ["the silence before", () => move(-1)], Enter: ["change it", () => { const s = silences.value.get(f.id); if (s && s.state !== "expired") change({ edit: s.id }); }],
    n: ["a new silence", () => change({ fresh: true })], "/": ["filter by text", () => document.getElementById("silence-text").focus()] }, [f, silences.value]);
  const edited = f.edit && silences.value.get(f.edit);
  return html`<section class="panel filters" aria-label="Filters"><label class="grow">Text <input type="search" id="silence-text" value=${f.text} placeholder="label, author, comment …" onInput=${(e) => change({ text: e.target.value })} /></label>
      <button class="primary" onClick=${() => change({ fresh: true })}>New silence</button></section>
    ${state.error && html`<div class="error" role="alert">${state.error}</div>`}
    ${["active", "pending", "expired"].map((s) => ({ s, of: list.filter((x) => x.state === s) })).filter(({ s, of }) => of.length > 0 || (s === "active" && !state.error)).map(({ s, of }) => html`<section key=${s} class="panel" aria-label=${titles[s]}><h2>${titles[s]} <span class="count">${of.length}</span></h2>
      ${of.length === 0 ? html`<p class="soft">${state.loaded ? (part ? "None that fits." : "Nothing is silenced: everybody is told of everything.") : "…"}</p>` : of.slice(0, 200).map((x) => html`<${Silence} key=${x.id} s=${x} selected=${x.id === f.id} change=${change} say=${say} />`)}
      ${of.length > 200 && html`<p class="soft">and ${of.length - 200} more: filter by text</p>`}</section>`)}
    ${(f.fresh || edited) && html`<${SilenceDialog} key=${f.edit} silence=${edited || undefined} say=${say} onClose=${() => change({ fresh: false, edit: "" })} />`}`;
}

function Silence({ s, selected, change, say }) {
  const [asking, ask] = useState(false), now = Date.now(), begins = Date.parse(s.startsAt), ends = Date.parse(s.endsAt);
  const hit = alertList.value.filter((a) => a.silencedBy.includes(s.id));
  const expire = () => api.send("DELETE", "/api/v1/silences/" + encodeURIComponent(s.id)).then(() => { say({ text: "The silence is over: who was held back is told now, if it still fires." }); return loadSilences(); }, (err) => say({ bad: true, text: err.message })).finally(() => ask(false));
  return html`<article id=${"silence-" + s.id} class=${"silence " + s.state} aria-current=${selected ? "true" : null}>
    <div class="what"><div class="chips">${s.matchers.map((m) => html`<code key=${text(m)} class="label">${text(m)}</code>`)}</div><p class="summary">${s.comment}</p><p class="soft">${s.author}${s.endedBy ? " · ended by " + s.endedBy : ""}${s.endWhenNormalFor ? " · ends when calm for " + s.endWhenNormalFor : ""}</p></div>
    <div class="age"><b>${s.state === "active" ? duration((ends - now) / 1000) + " left" : s.state === "pending" ? "in " + duration((begins - now) / 1000) : "over"}</b><div class="soft"><${When} t=${begins} /> – <span title=${exact(ends)}><${When} t=${ends} /></span></div></div>
    <div class="told">${s.state === "active" && (hit.length === 0 ? html`<span class="soft">holds nothing back now</span>` : html`<details><summary>holds back <b>${hit.length}</b> ${hit.length === 1 ? "alert" : "alerts"}</summary><ul>${hit.slice(0, 20).map((a) => html`<li key=${a.incident}><span class=${"badge " + a.state}>${words[a.state]}</span> <a href=${pathOf(a.incident)}>${a.rule}</a> <span class="tags">${tags(a.tags)}</span></li>`)}</ul></details>`)}
      <div class="soft">${s.held === 1 ? "1 notification" : s.held + " notifications"} held back so far</div></div>
    <div class="acts">${s.state !== "expired" && (asking ? html`<span class="ask-once">Who it holds back is told at once. <button class="bad" onClick=${expire}>End it</button> <button onClick=${() => ask(false)}>Keep it</button></span>`
      : html`<button onClick=${() => change({ edit: s.id, id: s.id })}>Change</button> <button onClick=${() => ask(true)}>End now</button>`)}</div></article>`;
}
