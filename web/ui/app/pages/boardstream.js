// One connection carries what all panels follow: a browser has six for a server, over all tabs.
import { followAll } from "/ui/api.js";

const following = new Set(); // of {q, step, last, onStep, onState, onEnd}
let end = null, timer = null;

// open begins anew with what is followed now, soon: panels come and go together.
function open() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    end?.();
    end = null;
    const list = [...following];
    if (list.length > 0) end = followAll(list, (up) => { for (const x of list) if (following.has(x)) x.onState(up); });
  }, 50);
}

// follow is that of the API, over the connection of all, of the steps after the time last; 0 is now.
export function follow(q, step, last, onStep, onState, onEnd) {
  const x = { q, step, last, onState, onStep: (s) => { if (following.has(x)) onStep(s); }, onEnd: () => { if (following.delete(x)) onEnd(); } };
  following.add(x);
  open();
  return () => { if (following.delete(x)) open(); };
}
