// The time that is shown, and its steps: chosen here, and what became of the choice.
import { html, useState } from "/ui/vendor/preact.js";
import { duration, ms, time } from "/ui/format.js";
import { status } from "/ui/shared.js";
import { data } from "/ui/pages/exploredata.js";
import { between, follow, span, state } from "/ui/pages/explorestate.js";
import { styled } from "/ui/pages/explorestyle.js";
await styled;

const steps = ["100ms", "500ms", "1s", "2s", "5s", "10s", "15s", "20s", "30s", "1m", "2m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "6h", "12h", "1d"];

// allowed are the steps that values can be asked for in: multiples of the one that is stored.
const allowed = (stored) => steps.filter((s) => ms(s) >= stored && ms(s) % stored === 0);

// toField and fromField turn Unix ms into the text of a field of local time or UTC, and back.
const toField = (t, utc) => new Date(t - (utc ? 0 : new Date(t).getTimezoneOffset() * 6e4)).toISOString().slice(0, 19);
const fromField = (text, utc) => Date.parse(utc ? text + "Z" : text);

export function Tool({ close }) {
  const g = data.value, [s, e] = span(), [utc, setUTC] = useState(true), [range, setRange] = useState(state.range.value), [wrong, setWrong] = useState("");
  const [from, setFrom] = useState(() => toField(s, true)), [to, setTo] = useState(() => toField(e, true));
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone, stored = status.value?.stepMs || 1000;
  const inZone = (next) => { // the same moments
    const [a, b] = [fromField(from, utc), fromField(to, utc)];
    if (a) setFrom(toField(a, next));
    if (b) setTo(toField(b, next));
    setUTC(next);
  };
  const last = (event) => {
    event.preventDefault();
    if (!(ms(range) > 0)) { setWrong("A range is a number and a unit: 45m, 12h, 7d, 2w."); return; }
    setWrong("");
    follow(range.trim());
  };
  const fixed = (event) => {
    event.preventDefault();
    const [a, b] = [fromField(from, utc), fromField(to, utc)];
    if (!(a < b)) { setWrong("The end must be after the start."); return; }
    setWrong("");
    between(a, b);
  };
  const choices = allowed(stored);
  if (state.step.value && !choices.includes(state.step.value)) choices.push(state.step.value);
  return html`<div class="tool" role="group" aria-label="Range and step"><h2>Range and step <button onClick=${close} aria-label="Close">×</button></h2>
    <form class="row" onSubmit=${last}><label for="range-last">the last</label><input id="range-last" size="8" value=${range} onInput=${(x) => setRange(x.target.value)} placeholder="45m" /><button>Show</button>
      ${["12h", "7d", "2w"].map((r) => html`<button type="button" aria-pressed=${String(!state.from.value && state.range.value === r)} onClick=${() => { setRange(r); follow(r); }}>${r}</button>`)}</form>
    <form class="row" onSubmit=${fixed}><label for="range-from">from</label><input id="range-from" type="datetime-local" step="1" value=${from} onInput=${(x) => setFrom(x.target.value)} />
      <label for="range-to">to</label><input id="range-to" type="datetime-local" step="1" value=${to} onInput=${(x) => setTo(x.target.value)} />
      <select id="range-zone" aria-label="Zone of these times" value=${utc ? "utc" : "local"} onChange=${(x) => inZone(x.target.value === "utc")}><option value="utc">UTC</option><option value="local">${zone === "UTC" ? "local time, UTC" : zone}</option></select><button>Show</button></form>
    <div class="row"><label for="step">in steps of</label><select id="step" value=${state.step.value} onChange=${(x) => { state.step.value = x.target.value; }}>
      <option value="" selected=${!state.step.value}>as many as fit</option>${choices.map((c) => html`<option value=${c} selected=${c === state.step.value}>${duration(ms(c) / 1000).replace(/^0 s$/, c)}</option>`)}</select>
      <p role="status">${wrong ? html`<span class="wrong">${wrong}</span>` : g?.times.length > 0 && became(g)}</p></div></div>`;
}

// became says what is shown, and why its step is not the one that was chosen.
function became(g) {
  const [s, e] = [g.times[0] * 1000 - g.step, g.times[g.times.length - 1] * 1000], is = g.step < 1000 ? g.step + " ms" : duration(g.step / 1000);
  const shown = time(s) + " to " + time(e) + " UTC, " + g.times.length + " steps of " + is;
  return state.step.value && ms(state.step.value) !== g.step ? shown + ": the next that gives at most 1,440 values a line" : shown;
}
