// Prometheus's text format, as far as counters, gauges and histograms of the service go.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** One object per sample: its name, its labels, its value. */
export function* samples(text) {
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (found) yield { name: found[1], labels: labels(found[2] ?? ""), value: number(found[3]) };
  }
}

function labels(text) {
  const told = {};
  for (const [, name, value] of text.matchAll(LABEL)) told[name] = unescaped(value);
  return told;
}

const unescaped = (value) => value.replace(/\\(.)/g, (_, what) => (what === "n" ? "\n" : what));

export function number(text) {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

/** What the page shows of a scrape, by model. `bounds` are the upper bounds of the buckets of
 * answered requests' times in seconds, `counts` how many were at or below each. */
export function figuresByModel(text) {
  const models = new Map();
  const of = (id) => {
    if (!models.has(id)) models.set(id, { buckets: new Map(), refused: 0, waiting: 0 });
    return models.get(id);
  };
  for (const { name, labels: told, value } of samples(text)) {
    if (name === "stride_request_seconds_bucket" && told.outcome === "ok") {
      const { buckets } = of(told.model);
      const bound = number(told.le);
      buckets.set(bound, (buckets.get(bound) ?? 0) + value); // protocols are added up
    } else if (name === "stride_requests_total" && told.outcome !== "ok") {
      of(told.model).refused += value;
    } else if (name === "stride_queue_depth") {
      of(told.model).waiting = value;
    }
  }
  for (const [id, { buckets, refused, waiting }] of models) {
    const bounds = [...buckets.keys()].sort((a, b) => a - b);
    models.set(id, { bounds, counts: bounds.map((b) => buckets.get(b)), refused, waiting });
  }
  return models;
}
