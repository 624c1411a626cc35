// What is on now: firing first, in groups, each alert with what somebody needs who was just woken.
import { html, useEffect, useMemo, useRef, useState } from "/ui/vendor/preact.js";
import { link, number, tags } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { go, note, place } from "/ui/router.js";
import { alertList, polled, trouble } from "/ui/shared.js";
import { Age, Told } from "/ui/pages/alertbits.js";
import { chosen, deviation, ended, figures, grouped, latest, open, order, pathOf, words } from "/ui/pages/alertdata.js";
import { Filters, read, write } from "/ui/pages/alertfilters.js";
import { SilenceDialog } from "/ui/pages/silencing.js";
import { Spark, useDetail } from "/ui/pages/spark.js";

const recent = 36e5;   // ms for which what is over is listed here
const few = 20;        // alerts of a group, and groups, that are shown at first,
const further = 200;   // and how many more at a time
const titles = { firing: "Firing", nodata: "No data", pending: "Pending", resolved: "Over within the hour" };

export function Now({ search, say }) {
  const [f, setF] = useState(() => read(search)), [wide, setWide] = useState(new Map());
  useEffect(() => setF(read(place.value.search)), [place.value]);
  const picked = useRef(f.sel); // known before the next drawing, to keys that follow at once
  const change = (part) => { const next = { ...f, ...part }; setF(next); note(write(next, "now")); };
  void polled.value; // what is over grows older with every poll
  const minute = Math.floor(Date.now() / 6e4);
  const all = alertList.value.filter((a) => open(a) || Date.now() - ended(a) < recent);
  const meant = useMemo(() => chosen(all, f), [alertList.value, f, minute]);
  const sections = order.filter((s) => f.states.length === 0 || f.states.includes(s))
    .map((state) => ({ state, list: meant.filter((a) => a.state === state) })).filter((s) => s.list.length > 0)
    .map((s) => ({ ...s, groups: grouped(s.list, f.by) }));
  const most = (key) => wide.get(key) || few, widen = (key) => setWide(new Map(wide).set(key, most(key) + further));
  const shown = sections.flatMap((s) => s.groups.slice(0, most(s.state)).flatMap((g) => g.list.slice(0, most(s.state + g.name))));
  const move = (by) => {
    const at = shown.findIndex((a) => a.incident === picked.current), next = shown[at < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, at + by))];
    if (!next) return;
    picked.current = next.incident;
    change({ sel: next.incident });
    document.getElementById("alert-" + next.incident)?.scrollIntoView({ block: "nearest" });
  };
  const drawn = useRef({});
  drawn.current = { move, change, act: (g) => { const a = shown.find((x) => x.incident === picked.current); if (a) g(a); } };
  useKeys({
    j: ["the next alert", () => drawn.current.move(1)], k: ["the alert before", () => drawn.current.move(-1)],
    Enter: ["open it", () => drawn.current.act((a) => go(pathOf(a.incident)))], s: ["silence it", () => drawn.current.act((a) => drawn.current.change({ silence: a.incident, whole: false }))],
  });
  const target = f.silence && alertList.value.find((a) => a.incident === f.silence);
  return html`<${Filters} f=${f} all=${all} view="now" change=${change} />
    ${trouble.value && html`<div class="error" role="alert">${trouble.value}</div>`}
    ${shown.length === 0 && !trouble.value && html`<${None} f=${f} all=${all} />`}
    ${sections.map((s) => html`<section key=${s.state} class=${"panel alert-section " + s.state} aria-label=${titles[s.state]}><h2>${titles[s.state]} <span class=${"badge " + s.state}>${s.list.length}</span></h2>
      ${s.groups.slice(0, most(s.state)).map((g) => html`<${Group} key=${g.name} g=${g} f=${f} most=${most(s.state + g.name)} widen=${() => widen(s.state + g.name)} change=${change} />`)}
      ${s.groups.length > most(s.state) && html`<button class="further" onClick=${() => widen(s.state)}>${s.groups.length - most(s.state)} more groups</button>`}</section>`)}
    ${target && html`<${SilenceDialog} key=${target.incident + f.whole} alert=${target} whole=${f.whole} say=${say} onClose=${() => change({ silence: "", whole: false })} />`}`;
}

function None({ f, all }) {
  if (polled.value === 0) return html`<p class="empty" aria-busy="true">…</p>`;
  if (all.length > 0) return html`<section class="panel empty"><p>None of the ${all.length} alerts fits the filters.</p></section>`;
  return html`<section class="panel empty calm"><p class="big">Nothing fires.</p><p>What was is in the <a href="/alerts?view=history">history</a>. Something should have? <a href="/alerts?view=why">Why was I not paged?</a></p></section>`;
}

function Group({ g, f, most, widen, change }) {
  const first = g.list[0], plain = f.by === "rule", alone = plain && g.list.length === 1, same = g.list.every((a) => a.rule === first.rule);
  const name = plain ? html`<a href=${"/rules/" + encodeURIComponent(first.rule)}>${first.rule}</a>` : g.name ? f.by + "=" + g.name : "without " + f.by;
  return html`<div class="alert-group" role="group" aria-label=${g.name}>${!alone && html`<h3>${name} <span class="count">${g.list.length}</span>
      ${same && html`<${Of} a=${first} />`}
      ${open(first) && plain && html`<button class="plain whole" onClick=${() => change({ silence: first.incident, whole: true })}>Silence all</button>`}</h3>`}
    ${g.list.slice(0, most).map((a) => html`<${Row} key=${a.incident} a=${a} alone=${alone} by=${f.by} of=${alone || !same} selected=${a.incident === f.sel} change=${change} />`)}
    ${g.list.length > most && html`<button class="further" onClick=${widen}>${g.list.length - most} more</button>`}</div>`;
}

// Of says whose alert it is, and what to do about it.
function Of({ a }) {
  const runbook = link(a.annotations?.runbook);
  return html`<span class="soft">${[a.severity, a.owner !== "default" && a.owner].filter(Boolean).join(" · ")}</span>${runbook && html` <a class="runbook" href=${runbook} target="_blank" rel="noopener noreferrer">runbook</a>`}`;
}

function Row({ a, alone, by, of, selected, change }) {
  const el = useRef(null), got = useDetail(el, a), text = tags(a.tags), summary = a.annotations?.summary, n = figures(latest(a, got?.detail));
  const whole = alone || by !== "rule" || !text;
  return html`<article ref=${el} id=${"alert-" + a.incident} class=${"alert-row " + a.state} aria-current=${selected ? "true" : null} aria-label=${words[a.state] + " " + a.rule + " " + text}
      onClick=${(e) => { if (!e.target.closest("a, button") && !String(getSelection())) go(pathOf(a.incident)); }}>
    <div class="what"><div class="chips"><a class="name" href=${pathOf(a.incident)}>${whole ? a.rule : text}</a>${whole && text && html` <span class="tags">${text}</span>`}
        ${a.cause && html` <span class="cause">${a.cause}</span>`}${a.flapping && html` <span class="badge pending" title="it came back again and again, and stays on until it is calm">flapping</span>`}
        ${Object.entries(a.labels || {}).map(([k, v]) => html` <span class="label" key=${k}>${k}=${v}</span>`)} ${of && html`<${Of} a=${a} />`}</div>
      ${summary && html`<p class="summary">${summary}</p>`}<${Contributors} a=${a} /></div>
    <a class="little" href=${pathOf(a.incident)} tabindex="-1" aria-label="its graph"><${Spark} got=${got} a=${a} /></a>
    <div class="values"><b>${number(n.value)}</b>${n.expected !== null && html` <span class="soft">of ${number(n.expected)}</span>`}<div>${deviation(n)}</div></div>
    <div class="age"><${Age} a=${a} /></div>
    <div class="told"><${Told} a=${a} detail=${got?.detail} /></div>
    <div class="acts">${open(a) && html`<button onClick=${() => change({ sel: a.incident, silence: a.incident, whole: false })}>Silence</button>`}</div></article>`;
}

function Contributors({ a }) {
  const list = a.contributors || [];
  if (list.length === 0) return null;
  return html`<p class="parts-line"><span class="soft">carried by</span> ${list.slice(0, 3).map((c) => html`<span class="carrier" key=${tags(c.tags)}>${tags(c.tags)} <b>${Math.round(100 * c.share)} %</b></span>`)}${list.length > 3 && html`<span class="soft">and ${list.length - 3} more</span>`}</p>`;
}
