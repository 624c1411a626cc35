// What the editor asks the server, kept for a while: the same is asked at every key.
import * as api from "/ui/api.js";
import { literal } from "/ui/editor/tokens.js";

const keep = 15e3; // ms: the index changes
const most = 40;

// remembered has f asked once for each argument, while the answer is young. A failure is not kept.
function remembered(f) {
  const known = new Map(); // argument → {promise, at}
  return (argument) => {
    const hit = known.get(argument);
    if (hit && Date.now() - hit.at < keep) return hit.promise;
    const promise = f(argument);
    known.delete(argument);
    known.set(argument, { promise, at: Date.now() });
    promise.catch(() => known.delete(argument));
    if (known.size > most) known.delete(known.keys().next().value);
    return promise;
  };
}

export const limit = 1000; // keys, values

export const trace = remembered((program) => api.trace(program));
export const complete = remembered((program) => api.complete(program, limit));
export const values = remembered((key) => api.values(key, "", limit));
export const tagged = remembered((query) => api.values(literal(query.split(",")[0]), query, 1));

let all = null;
// words returns the vocabulary by name: signatures, descriptions, examples.
export function words() {
  all ??= api.words().then((list) => {
    const byName = new Map();
    for (const w of list) byName.set(w.name, [...(byName.get(w.name) || []), w]);
    return byName;
  });
  all.catch(() => { all = null; });
  return all;
}
