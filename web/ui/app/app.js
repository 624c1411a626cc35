// The frame of all pages: the header, the way from page to page, the token.
import { html, render, signal, effect, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration } from "/ui/format.js";
import { Help, keys } from "/ui/keys.js";
import { back, go, place } from "/ui/router.js";
import { alertList, closedToUs, forget, locked, silent, status, toggleTheme, unlock, writing } from "/ui/shared.js";

// The pages by their first path segment; g and the key lead there. Each is a module of its
// own, loaded when it is first shown, perhaps with a style sheet css; it exports Page, given
// the rest of the path and the query. A page of another, which it names, is not in the nav.
const pages = [
  { path: "/", name: "Explore", key: "e", load: () => import("/ui/pages/explore.js") },
  { path: "/board", name: "Board", key: "b", css: "/ui/pages/board.css", load: () => import("/ui/pages/board.js") },
  { path: "/alerts", name: "Alerts", key: "a", css: "/ui/pages/alerts.css", load: () => import("/ui/pages/alerts.js") },
  { path: "/silences", name: "Silences", key: "i", of: "/alerts", css: "/ui/pages/alerts.css", load: () => import("/ui/pages/alerts.js") },
  { path: "/rules", name: "Rules", key: "r", css: "/ui/pages/rules.css", load: () => import("/ui/pages/rules.js") },
  { path: "/data", name: "Data", key: "d", css: "/ui/pages/data.css", load: () => import("/ui/pages/data.js") },
  { path: "/sources", name: "Sources", key: "s", css: "/ui/pages/sources.css", load: () => import("/ui/pages/sources.js") },
  { path: "/receivers", name: "Receivers", key: "c", css: "/ui/pages/receivers.css", load: () => import("/ui/pages/receivers.js") },
  { path: "/server", name: "Server", key: "v", css: "/ui/pages/server.css", load: () => import("/ui/pages/server.js") },
];
const pageOf = (path) => pages.find((p) => p.path === "/" + path.split("/")[1]);

const styled = new Set(); // the style sheets of pages that have been shown
const shown = signal(null); // {page, Page}, or {page, error}
effect(() => {
  const page = pageOf(place.value.path);
  if (shown.peek()?.page === page && shown.peek()?.Page) return;
  if (!page) { shown.value = { error: "There is no such page." }; return; }
  let dressed; // a page is not shown before its style sheet is there
  if (page.css && !styled.has(page.css)) {
    styled.add(page.css);
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: page.css });
    dressed = new Promise((done) => { sheet.onload = sheet.onerror = done; });
    document.head.append(sheet);
  }
  Promise.all([page.load(), dressed]).then(([{ Page }]) => { if (pageOf(place.peek().path) === page) shown.value = { page, Page, at: place.peek() }; },
    () => { if (pageOf(place.peek().path) === page) shown.value = { page, error: "The page could not be loaded: the server does not answer." }; });
});

function Header() {
  const s = status.value, current = pageOf(place.value.path);
  const firing = alertList.value.filter((a) => a.state === "firing").length;
  useEffect(() => { document.title = (firing ? "(" + firing + ") " : "") + (current && current.path !== "/" ? current.name + " · " : "") + "Pulse"; }, [firing, current]);
  useEffect(() => { document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); }, [current]);
  return html`<header><a class="skip" href="#main">to the page</a><h1><a href="/"><img src="/ui/icon.svg" alt="" />Pulse</a></h1>
    ${pages.length > 1 && html`<nav aria-label="Pages">${pages.filter((p) => !p.of).map((p) => html`<a key=${p.path} href=${back(p.path)} aria-current=${p === current || p.path === current?.of ? "page" : null}>${p.name}</a>`)}</nav>`}
    <span role="status">${firing > 0 && html`<a href=${pages.some((p) => p.path === "/alerts") ? "/alerts" : "#alerts"} class="badge firing">${firing} firing</a>`}</span>
    <span class="facts">${silent.value ? html`<span class="badge firing">the server does not answer</span>` : s ? s.series.toLocaleString("en") + " series · step " + duration(s.stepMs / 1000).replace(/^0 s$/, s.stepMs + " ms") : locked.value || closedToUs.value ? "" : "connecting…"}</span>
    ${api.hasToken() && !locked.value && html`<button class="forget" onClick=${forget}>Forget token</button>`}
    <button class="spacer" onClick=${toggleTheme} aria-label="Switch between light and dark">◐</button></header>`;
}

// Lock asks for a token; what it is given is checked by using it.
function Lock() {
  const [text, setText] = useState(""), had = api.hasToken();
  return html`<section class="panel lock" aria-label="Token"><h2>This server wants a token</h2>
    ${had && html`<div class="error" role="alert">The token is not known, or not any more.</div>`}
    <form class="line" onSubmit=${(e) => { e.preventDefault(); if (text.trim()) unlock(text); }}><input id="token" type="password" autocomplete="off" spellcheck=${false} aria-label="Token" placeholder="pulse_…" value=${text} autofocus
      onInput=${(e) => setText(e.target.value)} />
    <button class="primary" disabled=${!text.trim()}>Open</button></form>
    <p class="keys">One with the scope <code>query</code>, which <code>pulse token new NAME --scope query</code> makes. It stays in this tab, until you close it.</p></section>`;
}

// plain is a part of a path as it was meant; what is escaped wrongly stays as it is.
function plain(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function Main() {
  const now = shown.value;
  if (locked.value) return html`<main id="main"><${Lock} /></main>`;
  if (!now) return html`<main id="main" aria-busy="true"></main>`;
  if (now.error) return html`<main id="main"><div class="error" role="alert">${now.error}
    ${now.page && html` <button onClick=${() => location.reload()}>Try again</button>`}</div></main>`; // a browser may remember until then that a module could not be loaded
  if (pageOf(place.value.path) === now.page) now.at = place.value; // while the next page is being loaded this one is not told its address
  return html`<main id="main" data-page=${now.page.path.slice(1) || "explore"}><${now.Page} rest=${now.at.path.split("/").slice(2).map(plain).join("/")} search=${now.at.search} /></main>`;
}

keys({ t: ["light or dark", toggleTheme], "/": ["write a query", () => { writing.value = true; go(back("/")); }] });
for (const p of pages) if (p.key) keys({ ["g " + p.key]: [p.name, () => go(back(p.path))] });

render(html`<${Header} /><${Main} /><${Help} />`, document.getElementById("app"));
