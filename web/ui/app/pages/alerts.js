// Alerts: what is on now, what was, one alert, silences, and why nobody was paged.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import { alertList, locked, repeat } from "/ui/shared.js";
import { go, place } from "/ui/router.js";
import { useKeys } from "/ui/keys.js";
import { loadSilences, open, silences } from "/ui/pages/alertdata.js";
import { Now } from "/ui/pages/alertlist.js";
import { History } from "/ui/pages/alerthistory.js";
import { One } from "/ui/pages/alertpage.js";
import { Silences } from "/ui/pages/silences.js";
import { WhyNot } from "/ui/pages/whynot.js";

function Tabs({ view }) {
  const on = alertList.value.filter(open).length, quiet = [...silences.value.values()].filter((s) => s.state === "active").length;
  const tab = (name, href, text, n) => html`<a href=${href} aria-current=${view === name ? "page" : null}>${text}${n > 0 && html` <span class="count">${n}</span>`}</a>`;
  return html`<nav class="tabs" aria-label="Alerts">${tab("now", "/alerts", "Now", on)}${tab("history", "/alerts?view=history", "History", 0)}
    ${tab("silences", "/silences", "Silences", quiet)}${tab("why", "/alerts?view=why", "Why was I not paged?", 0)}</nav>`;
}

// said is the answer to the last action, for all of the page.
function useSaid() {
  const [said, say] = useState(null);
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(null), 15e3);
    return () => clearTimeout(timer);
  }, [said]);
  return [said, say];
}

export function Page({ rest, search }) {
  const p = new URLSearchParams(search), [said, say] = useSaid();
  const view = place.value.path.startsWith("/silences") ? "silences" : rest ? "one" : p.get("view") || "now";
  useEffect(() => repeat(5000, loadSilences), []);
  useKeys({ "g h": ["history of alerts", () => go("/alerts?view=history")] });
  if (locked.value) return null;
  const shown = { one: One, history: History, silences: Silences, why: WhyNot }[view] || Now;
  return html`<div class="of-alerts"><${Tabs} view=${view} /><div class="said" role="status">${said && html`<p class=${said.bad ? "error" : "did"}>${said.text} ${said.href && html`<a href=${said.href}>${said.link}</a>`}
      <button class="plain" aria-label="Close" onClick=${() => say(null)}>✕</button></p>`}</div>
    <${shown} key=${view + rest} id=${rest} search=${search} say=${say} /></div>`;
}
