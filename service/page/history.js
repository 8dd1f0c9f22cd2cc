// Scrapes of a while, and what happened between two of them.

const LONGEST = 300;

/** The q-quantile in seconds of a histogram, linear within its bucket as Prometheus's
 * histogram_quantile is. Infinity where it lies above the last finite bound, NaN for no samples. */
export function quantile(q, bounds, cumulative) {
  const total = cumulative.at(-1);
  if (!(total > 0)) return NaN;
  const rank = q * total;
  const bucket = cumulative.findIndex((count) => count >= rank && count > 0);
  if (bounds[bucket] === Infinity) return Infinity;
  const low = bucket ? bounds[bucket - 1] : 0;
  const before = bucket ? cumulative[bucket - 1] : 0;
  return low + ((bounds[bucket] - low) * (rank - before)) / (cumulative[bucket] - before);
}

export class History {
  #scrapes = [];

  /** `at`: seconds on any steady clock; `models`: what `figuresByModel` found. */
  add(at, models) {
    const last = this.#scrapes.at(-1);
    if (last && restarted(last.models, models)) this.#scrapes = [];
    this.#scrapes.push({ at, models });
    this.#scrapes = this.#scrapes.filter((scrape) => scrape.at >= at - LONGEST * 1.25);
  }

  /** What happened to a model within the last so many seconds, or as far back as is known; null
   * before there are two scrapes. */
  recent(model, seconds) {
    const last = this.#scrapes.at(-1);
    const first = this.#scrapes.find((s) => s !== last && s.at >= last.at - seconds * 1.25);
    return first ? between(first, last, model) : null;
  }

  /** Answers per second from scrape to scrape. */
  rates(model, seconds) {
    const last = this.#scrapes.at(-1);
    const recent = this.#scrapes.filter((s) => s.at >= last.at - seconds * 1.25);
    return recent.slice(1).map((s, n) => between(recent[n], s, model).rate);
  }
}

function between(first, last, model) {
  const seconds = last.at - first.at;
  const now = last.models.get(model) ?? { bounds: [], counts: [], refused: 0, waiting: 0 };
  const then = first.models.get(model) ?? { bounds: [], counts: [], refused: 0 };
  const before = new Map(then.bounds.map((bound, n) => [bound, then.counts[n]]));
  const counts = now.bounds.map((bound, n) => now.counts[n] - (before.get(bound) ?? 0));
  const answered = counts.at(-1) ?? 0;
  return {
    seconds,
    answered,
    rate: answered / seconds,
    refused: (now.refused - then.refused) / seconds,
    waiting: now.waiting,
    p50: quantile(0.5, now.bounds, counts),
    p99: quantile(0.99, now.bounds, counts),
  };
}

/** Counters only grow, unless the service began anew. */
function restarted(before, after) {
  for (const [model, { counts, refused }] of before) {
    const now = after.get(model);
    if ((counts.at(-1) ?? 0) > (now?.counts.at(-1) ?? 0) || refused > (now?.refused ?? 0)) return true;
  }
  return false;
}
