// What is shown, for others: links, a picture, the values.
import { html, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { color, dark } from "/ui/chart.js";
import { redraw } from "/ui/shared.js";
import { data, hidden } from "/ui/pages/exploredata.js";
import { parameters, state } from "/ui/pages/explorestate.js";
import { copy } from "/ui/pages/explorecopy.js";
import { styled } from "/ui/pages/explorestyle.js";
await styled;

// exactly is the address of what is shown in a format: its steps, its lines, its colours, the theme.
function exactly(format) {
  const g = data.value, off = hidden.value, p = new URLSearchParams(), end = Math.round(g.times[g.times.length - 1] * 1000);
  const picture = format === "png" || format === "svg", shown = g.lines.map((l, i) => ({ ...l, i })).filter((l) => !off.has(l.key));
  p.set("q", picture && state.style.value === "area" ? g.q + ",:list,(,:area,),:each" : g.q);
  p.set("s", String(Math.round(g.times[0] * 1000 - g.step)));
  p.set("e", String(end));
  p.set("step", g.step + "ms");
  p.set("format", format);
  if (off.size > 0) {
    const only = shown.length <= off.size;
    for (const l of only ? shown : g.lines.filter((x) => off.has(x.key))) p.append(only ? "only" : "hide", l.label);
  }
  p.set("tz", "UTC");
  p.set("w", String(Math.max(g.times.length, picture ? Math.min(1440, document.querySelector(".chart")?.clientWidth || 1000) : 1)));
  if (!picture) return "/api/v1/graph?" + p;
  p.set("h", "360");
  p.set("theme", dark() ? "dark" : "light");
  if (state.style.value === "stack") p.set("stack", "1");
  p.set("palette", "colors:" + shown.slice(0, 200).map((l) => color(l.i).slice(1)).join(","));
  return "/api/v1/graph?" + p;
}

// fixed is a link to the same moments, whenever it is opened.
function fixed() {
  const g = data.value, p = parameters();
  p.delete("range");
  p.set("s", String(Math.round(g.times[0] * 1000 - g.step)));
  p.set("e", String(Math.round(g.times[g.times.length - 1] * 1000)));
  return location.origin + "/?" + p;
}

async function fetched(format) {
  const res = await api.raw(exactly(format));
  if (!res.ok) throw new Error((await res.json()).message);
  return res.blob();
}

export function Tool({ close }) {
  const g = data.value, [said, say] = useState("");
  void redraw.value;
  const give = (what, text) => copy(text).then(() => say(what + " copied."), () => say("It could not be copied: " + text));
  const beside = [state.band.value && "the band", state.overlay.value && "what was before"].filter(Boolean).join(" and ");
  const save = (e, format) => {
    const drawn = beside && (format === "png" || format === "csv"); // more than an answer of the server has
    if (!drawn && !api.hasToken()) return;
    e.preventDefault(); // a link cannot send the token either
    void (drawn ? import("/ui/pages/exploretake.js").then((m) => m.take(format)) : fetched(format)).then((blob) => {
      const a = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "pulse." + format });
      a.click();
      URL.revokeObjectURL(a.href);
    }).catch((err) => say(err.message));
  };
  const there = g?.times.length > 0, off = hidden.value.size;
  return html`<div class="tool" id="share" role="group" aria-label="Share"><h2>Share <button onClick=${close} aria-label="Close">×</button></h2>
    ${there ? html`<div class="row"><button onClick=${() => give("The link", location.origin + "/?" + parameters())}>${state.from.value ? "Copy the link" : "Copy the link, up to now when it is opened"}</button>
      ${!state.from.value && html`<button onClick=${() => give("The link to these moments", fixed())}>Copy the link to these moments</button>`}
      ${["png", "svg", "csv", "json"].map((format) => html`<a class="button" href=${exactly(format)} download=${"pulse." + format} onClick=${(e) => save(e, format)}>${format.toUpperCase()}</a>`)}
      <button onClick=${() => give("The address of the picture", location.origin + exactly("png"))}>Copy the picture's address</button></div>
      <p>Picture and values are of what is shown: these moments, these steps${off > 0 ? ", without the " + (off === 1 ? "line that is hidden" : off + " lines that are hidden") : ""}${beside ? ", with " + beside + " in PNG and CSV; the other formats have the lines alone" : ""}.</p>`
      : html`<p>There is nothing to share yet.</p>`}
    <p role="status">${said}</p></div>`;
}
