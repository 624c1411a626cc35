// The steps that a panel keeps: never more than its range has.

const sides = ["value", "expected", "lower", "upper", "out", "outAt", "past"]; // outAt is the last step that was out, of those that one here stands for

// Window holds range ms of steps of step ms; a value stamped t is in the step that ends at or after it.
export class Window {
  constructor(step, range) {
    this.step = step;
    this.most = Math.max(2, Math.ceil(range / step));
    this.first = 0; // the stamp of the first step, 0 for none
    for (const side of sides) this[side] = [];
    this.mean = { t: 0, sum: 0, n: 0 }; // of the step that goes on
  }
  get length() { return this.value.length; }
  get last() { return this.first + (this.length - 1) * this.step; }
  time(i) { return this.first + i * this.step; }

  // at returns the place of t, making room at the end, and -1 for what is before the window.
  at(t) {
    const stamp = Math.ceil(t / this.step) * this.step;
    if (this.length === 0) this.first = stamp;
    if (stamp < this.first) return -1;
    let i = (stamp - this.first) / this.step;
    if (i >= this.length + this.most) { // nothing of what is there stays
      for (const side of sides) this[side].length = 0;
      this.first = stamp;
      i = 0;
    }
    while (this.length <= i) for (const side of sides) this[side].push(null);
    const over = this.length - this.most;
    if (over > 0) {
      for (const side of sides) this[side].splice(0, over);
      this.first += over * this.step;
      i -= over;
    }
    return i;
  }
  put(side, t, v) {
    const i = this.at(t);
    if (i >= 0) this[side][i] = v;
  }
  // live takes the value of a step that may be shorter than those kept: their mean is kept.
  live(t, v) {
    const i = this.at(t), m = this.mean, stamp = this.time(i);
    if (i < 0) return;
    if (m.t !== stamp) { m.t = stamp; m.sum = 0; m.n = 0; }
    if (v !== null) { m.sum += v; m.n++; }
    this.value[i] = m.n > 0 ? m.sum / m.n : null;
  }
  // judged takes a row of a band: it holds for all the steps that it covers, of every ms.
  judged(row, every) {
    const to = this.at(row.t);
    if (to < 0) return;
    for (let i = to; i >= 0 && (i === to || this.time(i) > row.t - every); i--) {
      for (const side of ["expected", "lower", "upper"]) this[side][i] = row[side] ?? null;
      this.out[i] = this.step > every ? Boolean(this.out[i] || row.firing) : Boolean(row.firing);
    }
    if (row.firing) this.outAt[to] = row.t;
  }
  // before takes values from before, that are to stand at their times plus by; every is their step.
  before(times, values, by, every) {
    times.forEach((t, j) => {
      const stamp = Math.ceil((t + by) / this.step) * this.step;
      for (let at = stamp; at > t + by - every; at -= this.step) {
        if (at >= this.first && at <= this.last) this.past[(at - this.first) / this.step] = values[j];
      }
    });
  }
  // stretches returns [{from, to, at}], ms, of what was out of band, oldest first; at is a step that was.
  stretches() {
    const all = [];
    for (let i = 0; i < this.length; i++) {
      if (!this.out[i]) continue;
      let j = i;
      while (j + 1 < this.length && (this.out[j + 1] || (this.out[j + 1] === null && this.out[j + 2]))) j++;
      all.push({ from: this.time(i) - this.step, to: this.time(j), at: this.outAt[j] ?? this.time(j) });
      i = j;
    }
    return all;
  }
}
