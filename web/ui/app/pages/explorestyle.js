// The style sheet of what Explore shows when it is asked for.
export const styled = new Promise((done) => {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/ui/pages/explore.css" });
  sheet.onload = sheet.onerror = done;
  document.head.append(sheet);
});
