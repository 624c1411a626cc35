// Why was I not paged? A rule, a group and a time; the server says what it saw and did.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, number, tags } from "/ui/format.js";
import { go } from "/ui/router.js";
import { rules } from "/ui/shared.js";
import { When } from "/ui/pages/alertbits.js";
import { pathOf, words } from "/ui/pages/alertdata.js";

// told are reasons that mean somebody was paged; ours are those that somebody may want to change.
const told = ["paged", "already-firing"];
const titles = { "rule-not-there": "the rule was not there", "no-such-group": "no such group", "in-the-future": "in the future", "not-judged-yet": "not judged yet", "not-judged": "not judged", "no-data": "no data", training: "still learning",
  "in-band": "in band", hold: "not for long enough", pending: "for was still running", "judged-otherwise": "judged otherwise then", limit: "a limit", flapping: "flapping", "already-firing": "paged before", paged: "paged",
  silenced: "silenced", inhibited: "inhibited", muted: "muted", "no-route": "no route", "no-receiver": "no receiver", grouped: "waits for its group", "over-rate": "over the receiver's rate", "host-down": "host is down", retrying: "being retried",
  queued: "on its way", "dead-letter": "given up", summary: "counted in a summary", "over-before-sent": "over before it was sent", "not-known": "not known any more" };
const utc = (t) => (t > 0 ? new Date(t).toISOString().slice(0, 19) : "");
// bounds is a band, a side of which may have none.
const bounds = (s) => (s.lower === null && s.upper === null ? "–" : s.lower === null ? "at most " + number(s.upper) : s.upper === null ? "at least " + number(s.lower) : number(s.lower) + " to " + number(s.upper));
// rich is a sentence with its alerts and silences as links, and times as people write them.
function rich(text) {
  return text.split(/((?:alert|Alert) [0-9a-f]{32}|(?:silence|Silence) [0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const [what, id] = part.split(" ");
    if (!id) return html`<${When} t=${Date.parse(part)} />`;
    return html`<a href=${what.toLowerCase() === "alert" ? pathOf(id) : "/silences?id=" + id}>${what} ${id.slice(0, 8)}</a>`;
  });
}
const tagText = (t) => Object.entries(t || {}).map((kv) => kv.join("=")).join(",");

// moment is a time of an address in ms, 0 for what is none.
const moment = (text) => (Math.abs(Number(text)) <= 864e13 ? Number(text) : 0);

export function WhyNot({ search }) {
  const p = new URLSearchParams(search), asked = { rule: p.get("rule") || "", tags: p.get("tags") || "", t: moment(p.get("t")), all: p.has("rule") };
  const [rule, setRule] = useState(asked.rule), [group, setGroup] = useState(asked.tags), [at, setAt] = useState(utc(asked.t)), [got, setGot] = useState({}), groups = useGroups(rule);
  useEffect(() => { setRule(asked.rule); setGroup(asked.tags); setAt(utc(asked.t)); }, [search]);
  useEffect(() => {
    if (!asked.rule) { setGot({}); return undefined; }
    const abort = new AbortController(), q = new URLSearchParams();
    if (asked.tags) q.set("tags", asked.tags);
    if (asked.t) q.set("t", String(asked.t));
    api.get("/api/v1/rules/" + encodeURIComponent(asked.rule) + "/why?" + q, abort.signal).then((answer) => setGot({ search, answer }), (err) => { if (err.name !== "AbortError") setGot({ search, error: err.message }); });
    return () => abort.abort();
  }, [search]);
  const ask = (e) => {
    e.preventDefault();
    const q = new URLSearchParams({ view: "why", rule }), t = at ? Date.parse(at + "Z") : 0;
    if (group) q.set("tags", group);
    if (t) q.set("t", String(t));
    const url = "/alerts?" + q;
    if (url === location.pathname + location.search) go("/alerts?" + q + "&again=" + Date.now()); else go(url);
  };
  return html`<section class="panel" aria-label="Why was I not paged?"><h2>Why was I not paged?</h2>
    <form class="whynot" onSubmit=${ask}><label>Rule <select value=${rule} onChange=${(e) => { setRule(e.target.value); setGroup(""); }}><option value="">choose …</option>${[...new Set([...rules.value.map((r) => r.id), rule])].filter(Boolean).map((id) => html`<option key=${id} value=${id} selected=${id === rule}>${id}</option>`)}</select></label>
      <label class="grow">Group <input type="text" list="why-groups" value=${group} placeholder="region=eu; nothing when there is one" spellcheck=${false} onInput=${(e) => setGroup(e.target.value)} /></label><datalist id="why-groups">${groups.map((g) => html`<option key=${g} value=${g} />`)}</datalist>
      <label>At <input type="datetime-local" step="1" value=${at} onInput=${(e) => setAt(e.target.value)} /> UTC <span class="soft">${at ? "" : "the last step"}</span></label>
      <button type="submit" class="primary" disabled=${!rule}>Ask</button></form></section>
    ${asked.rule && (got.error ? html`<div class="error" role="alert">${got.error}</div>` : got.answer ? html`<${Answer} w=${got.answer} stale=${got.search !== search} />` : html`<p class="empty" aria-busy="true">…</p>`)}`;
}

// useGroups returns the groups of a rule, to choose from.
function useGroups(rule) {
  const [groups, set] = useState([]);
  useEffect(() => {
    set([]);
    if (!rule) return undefined;
    const abort = new AbortController();
    api.get("/api/v1/rules/" + encodeURIComponent(rule) + "/groups?limit=200", abort.signal).then((g) => set(g.groups.map((x) => tagText(x.tags)).filter(Boolean)), () => {});
    return () => abort.abort();
  }, [rule]);
  return groups;
}

function Answer({ w, stale }) {
  const near = new URLSearchParams({ band: w.rule, s: String(w.t - 6e5), e: String(w.t + 6e5), q: rules.value.find((r) => r.id === w.rule)?.expr || "" }), was = told.includes(w.reason);
  const step = (by) => "/alerts?" + new URLSearchParams({ view: "why", rule: w.rule, tags: tagText(w.tags), t: String(w.t + by * w.step) });
  return html`<section class="panel answer" aria-label="Answer" aria-busy=${String(stale)}><h2><span class=${"badge " + (was ? "quiet" : "pending")}>${titles[w.reason] || w.reason}</span> <code class="soft">${w.reason}</code>
      <span class="soft">${w.rule} ${tags(w.tags)} <${When} t=${w.t} /> UTC</span></h2>
    <p class="words">${rich(w.text)}</p>
    <ol class="chain">${w.sentences.map((s, i) => html`<li key=${i}>${rich(s)}</li>`)}</ol>
    <${Seen} w=${w} />
    ${w.alerts.length > 0 && html`<h3>Alerts of the group about then</h3><ul class="plain-list">${w.alerts.map((a) => html`<li key=${a.incident}><span class=${"badge " + a.state}>${words[a.state]}</span> <a href=${pathOf(a.incident)}>${a.noData ? "no data" : "alert"}</a> since <${When} t=${a.startsAt || a.pendingSince} />${" "}
      ${a.held?.length > 0 && html`<span class="held">held back by ${rich(a.held.join(", "))}</span>`} ${a.untold?.length > 0 && html`<span class="stuck">not told: ${a.untold.join(", ")}</span>`}</li>`)}</ul>`}
    ${w.silences.length > 0 && html`<h3>Silences that meant it</h3><ul class="plain-list">${w.silences.map((s) => html`<li key=${s.id}><a href=${"/silences?id=" + encodeURIComponent(s.id)}>${s.comment}</a> of ${s.author}, until <${When} t=${s.endsAt} /></li>`)}</ul>`}
    <div class="acts"><a class="button" href=${step(-1)}>a step before</a><a class="button" href=${step(1)}>a step later</a><a class="button" href=${"/?" + near}>Explore</a><a class="button" href=${"/rules/" + encodeURIComponent(w.rule)}>The rule</a></div></section>`;
}

function Seen({ w }) {
  if (!w.seen) return null;
  const s = w.seen, clock = (name, c) => c && html`<div><dt>${name}</dt><dd>${duration(c.passed / 1000)} of ${duration(c.needs / 1000)}</dd></div>`;
  return html`<dl class="facts-line"><div><dt>value</dt><dd><b>${number(s.value)}</b></dd></div><div><dt>expected</dt><dd>${number(s.expected)}</dd></div><div><dt>band</dt><dd>${bounds(s)}</dd></div>
    <div><dt>the detector</dt><dd>${{ nodata: "had no data", training: "was learning", in: "saw it in band", hold: "waited", out: "saw it out of band" }[w.detector] || "–"}</dd></div>
    ${clock("hold", w.hold)}${clock("for", w.for)}${clock("keep", w.keep)}${clock("without data", w.absent)}${w.sources > 0 && html`<div><dt>sources</dt><dd>${w.reported} of ${w.sources}</dd></div>`}</dl>`;
}
