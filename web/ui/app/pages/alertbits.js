// Small parts of alerts: how old one is, and who was told of it.
import { html } from "/ui/vendor/preact.js";
import { duration, exact, number, time } from "/ui/format.js";
import { polled } from "/ui/shared.js";
import { ended, open, pathOf, silences, since } from "/ui/pages/alertdata.js";

// When shows a time of day in UTC, with all of it in the title.
export const When = ({ t }) => html`<time datetime=${new Date(t).toISOString()} title=${exact(t)}>${time(t)}</time>`;

// Age says how long an alert has been on, or was.
export function Age({ a }) {
  void polled.value; // ages grow with every poll
  const from = since(a), to = ended(a) || Date.now();
  return html`<b title=${"since " + exact(from)}>${duration((to - from) / 1000)}</b><div class="soft">${open(a) ? "since " : "until "}<${When} t=${ended(a) || from} /></div>`;
}

const left = (until) => { const s = (until - Date.now()) / 1000; return s > 0 ? duration(s) : "moments"; };

// trouble says why a receiver has not heard what it is to hear; "" when it has.
export function stuck(x) {
  const until = x.until ? ", next in " + left(x.until) : "", error = x.lastError ? ": " + x.lastError : "";
  return { retry: "trying again" + until + error, "host down": "its host is down" + until, "left alone": "left alone" + until + error, disabled: "is disabled",
    rate: "had its number for this minute" + until, group: "waits for its group" + until, counted: "told in a summary only", queued: "", "under way": "" }[x.why] || "";
}

// heard splits who was to be told by what is known of the deliveries: who has accepted, who has
// not, and who cannot be told apart, since the attempts are not loaded, or not kept.
export function heard(a, detail) {
  const out = { told: [], stuck: [], failed: [], unknown: [] };
  for (const name of a.receivers) {
    const tries = (detail?.attempts || []).filter((t) => t.receiver === name && t.type !== "alert.resolved"), x = detail?.standing?.find((s) => s.receiver === name), why = x && stuck(x);
    if (why) out.stuck.push({ name, text: why });
    else if (tries.some((t) => t.outcome === "accepted")) out.told.push(name);
    else if (tries.length > 0 && x?.why !== "told") out.failed.push({ name, text: tries[tries.length - 1].outcome });
    else out.unknown.push(name);
  }
  return out;
}

// Told says who was told of an alert, who not, and what holds it back; detail is the alert with
// its attempts, when that is there.
export function Told({ a, detail }) {
  if (a.state === "pending") return html`<span class="soft">nobody yet</span>`;
  const h = heard(a, detail);
  return html`${open(a) && a.silencedBy.map((id) => html`<${SilencedBy} key=${id} id=${id} />`)}
    ${a.inhibitedBy.map((c) => html`<div key=${c.name} class="held"><b>inhibited</b> by ${c.incident ? html`<a href=${pathOf(c.incident)}>${c.name}</a>` : c.name}</div>`)}
    ${a.mutedBy.map((name) => html`<div key=${name} class="held"><b>muted</b> by ${name}</div>`)}
    ${[...h.stuck, ...h.failed].map((x) => html`<div key=${x.name} class="stuck"><b>${x.name}</b> ${x.text}</div>`)}
    ${h.told.length > 0 && html`<div class="ok">told ${h.told.join(", ")}</div>`}
    ${h.unknown.length > 0 && html`<div class="soft">to ${h.unknown.join(", ")}</div>`}
    ${a.untold.length > 0 && html`<div class="soft">not ${a.untold.join(", ")}</div>`}
    ${a.receivers.length + a.untold.length === 0 && html`<div class="stuck"><b>nobody</b> is told: no receiver</div>`}`;
}

function SilencedBy({ id }) {
  const s = silences.value.get(id);
  return html`<div class="held"><b>silenced</b> <a href=${"/silences?id=" + encodeURIComponent(id)}>${s ? "by " + s.author : "by a silence"}</a>${s && html` <span class="soft" title=${s.comment}>${left(Date.parse(s.endsAt))} left</span>`}</div>`;
}
