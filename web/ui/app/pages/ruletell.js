// Whom an alert of a rule would be told to, and a test to them.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import { send } from "/ui/api.js";
import { tags } from "/ui/format.js";

// labelsOf are the labels that the routes would see of an alert.
const labelsOf = (rule, group) => ({ ...group, ...rule.labels, alertname: rule.id || "rule", rule: rule.id || "rule", severity: rule.severity || "warn", owner: rule.owner || "default", type: "alert" });

export function Tell({ rule, sample, valid }) {
  const [way, setWay] = useState(null), [asked, setAsked] = useState(false), [results, setResults] = useState(null), [trouble, setTrouble] = useState("");
  const notify = Array.isArray(rule.notify) ? rule.notify : null, what = JSON.stringify([labelsOf(rule, sample?.tags), notify]);
  useEffect(() => {
    if (!valid) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => send("POST", "/api/v1/routes/test", { labels: labelsOf(rule, sample?.tags) }, stop.signal).then((w) => { setWay(w); setTrouble(""); }, (err) => { if (err.name !== "AbortError") setTrouble(err.message); }), 150);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [what, valid]);
  const told = notify?.length ? notify : way?.receivers || [], muted = notify?.length ? [] : (way?.legs || []).filter((l) => !way.receivers.includes(l.receiver));
  const fire = async () => {
    setAsked(false);
    setResults(told.map((name) => ({ name, text: "sending …" })));
    for (const name of told) {
      const text = await send("POST", "/api/v1/receivers/" + encodeURIComponent(name) + "/test", {}).then(
        (r) => ({ ok: r.ok, text: r.ok ? "taken" + (r.status ? ", status " + r.status : "") : "not taken: " + (r.error || "status " + r.status) }),
        (err) => ({ ok: false, text: err.status === 403 ? "to send a test a token needs the scope admin" : err.message }));
      setResults((old) => old.map((r) => (r.name === name ? { name, ...text } : r)));
    }
  };
  return html`<section class="panel rules" id="tell" aria-label="Whom it notifies"><div class="bar"><h2>Who would be told</h2></div>
    ${!valid && html`<p class="soft">That is known when the rule has no fault.</p>`}${trouble && html`<div class="notice" role="status">${trouble}</div>`}
    ${valid && way && html`<p>${told.length > 0 ? html`An alert${sample && tags(sample.tags) ? html` of <code>${tags(sample.tags)}</code>` : ""} would go to ${told.map((name, i) => html`${i > 0 ? ", " : ""}<a href=${"/receivers/" + encodeURIComponent(name)}>${name}</a>`)}${notify?.length ? ", which the rule names" : way.routed ? html`, by ${way.taken.map((r, i) => html`${i > 0 ? ", " : ""}<code>${r}</code>`)}` : ", since there are no routes"}.`
        : html`<b class="bad">Nobody would be told</b>${way.routed ? ": no route gives it to a receiver." : ": there is no receiver."} <a href="/receivers">Receivers</a>`}</p>
      ${muted.map((l) => html`<p class="soft" key=${l.receiver}>${l.receiver} is not told now: muted by ${[...(l.mutedBy || []), ...(l.outside || []).map((x) => "outside of " + x)].join(", ")}.</p>`)}
      ${told.length > 0 && !asked && html`<button onClick=${() => setAsked(true)}>Send a test</button>`}
      ${asked && html`<span class="confirm" role="group" aria-label="Send a test"><span>A notification of type alert.test goes to ${told.join(", ")}, now.</span><button class="primary" onClick=${fire}>Send it</button> <button onClick=${() => setAsked(false)}>Do not</button></span>`}`}
    <ul class="findings" role="status">${results?.map((r) => html`<li key=${r.name} class=${r.ok === false ? "error" : ""}><b>${r.name}</b> ${r.text}</li>`)}</ul></section>`;
}
