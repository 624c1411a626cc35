// What was asked before, walked through by the arrow keys as in a shell.

const read = (name) => {
  try { return JSON.parse(localStorage.getItem(name) || "[]").map((x) => x?.q).filter((q) => typeof q === "string"); } catch { return []; }
};

// walker returns a function of the text and a direction, 1 to what was asked before: the text
// to show in its place, null for none. The last one forwards is what was being written.
export function walker(name) {
  let list = [], at = 0;
  return (text, by) => {
    if (list[at] !== text) { list = [text, ...read(name).filter((q) => q !== text)]; at = 0; }
    const next = at + by;
    if (next < 0 || next >= list.length) return null;
    at = next;
    return list[at];
  };
}
