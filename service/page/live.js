// What the service's own metrics say of each model, scrape by scrape.

import { byId, drawing, element, say } from "./elements.js";
import { figuresByModel } from "./exposition.js";
import { duration, figure } from "./format.js";
import { History } from "./history.js";
import { Refused, ask } from "./service.js";

const SERIES = ["stride_request_seconds_bucket", "stride_requests_total", "stride_queue_depth"];
const ADDRESS = `metrics?${SERIES.map((name) => `name[]=${name}`).join("&")}`;
const EVERY = 2;
/** Below it a 99th percentile is hardly more than the slowest answer. */
const ENOUGH = 100;
const COLUMNS = ["model", "answers/s", "p50", "p99", "refused/s", "waiting", "last minute"];

export class Live {
  #history = new History();
  #models = [];
  #paused = false;
  #problem = "";
  #rows = new Map();

  constructor() {
    byId("window").addEventListener("change", () => this.#show());
    byId("pause").addEventListener("click", () => this.#pause());
    this.#head();
    this.#run();
  }

  /** Ids of the models to show, in order. */
  update(models) {
    this.#models = models;
    this.#show();
  }

  #pause() {
    this.#paused = !this.#paused;
    byId("pause").setAttribute("aria-pressed", String(this.#paused));
    this.#show();
  }

  async #run() {
    for (;;) {
      if (!document.hidden && !this.#paused) await this.#scrape();
      await new Promise((wake) => setTimeout(wake, EVERY * 1e3));
    }
  }

  async #scrape() {
    try {
      const text = await (await ask(ADDRESS)).text();
      this.#history.add(performance.now() / 1e3, figuresByModel(text));
      this.#problem = "";
    } catch (error) {
      const why = error instanceof Refused ? error.message : String(error);
      this.#problem = `The metrics cannot be read from here: ${why}.`;
    }
    this.#show();
  }

  #head() {
    const cells = COLUMNS.map((name) => element("span", { role: "columnheader" }, name));
    this.header = element("div", { class: "live-row head", role: "row" }, ...cells);
  }

  #show() {
    const seconds = Number(byId("window").value);
    const recent = this.#models.map((id) => [id, this.#history.recent(id, seconds)]);
    say(byId("live-what"), this.#what(recent.map(([, figures]) => figures)));
    const rows = new Map(this.#models.map((id) => [id, this.#rows.get(id) ?? new Row(id)]));
    if (rows.size !== this.#rows.size || this.#models.some((id) => !this.#rows.has(id))) {
      byId("live").replaceChildren(this.header, ...[...rows.values()].map((row) => row.root));
    }
    this.#rows = rows;
    for (const [id, figures] of recent) {
      if (figures) rows.get(id).show(figures, this.#history.rates(id, 60));
    }
  }

  #what(figures) {
    if (this.#problem) return this.#problem;
    const known = figures.find((each) => each !== null);
    if (!known) return this.#models.length ? "Waiting for the second look at the metrics." : "";
    return (
      `The last ${Math.round(known.seconds)} s of all this service's requests, by its own metrics, ` +
      `looked at every ${EVERY} s${this.#paused ? "; paused" : ""}. Percentiles are of answered requests, ` +
      "in the service, interpolated within buckets, six to a decade."
    );
  }
}

class Row {
  #cells = COLUMNS.slice(1).map((name) => element("span", { role: "cell", "data-name": name }));

  constructor(id) {
    const name = element("span", { class: "model", role: "rowheader" }, id);
    this.root = element("div", { class: "live-row", role: "row" }, name, ...this.#cells);
  }

  show(figures, rates) {
    const few = figures.answered < ENOUGH ? "too few" : null;
    const told = [
      figure(figures.rate),
      quantileText(figures.p50),
      figures.answered ? (few ?? quantileText(figures.p99)) : "none",
      figure(figures.refused),
      figure(figures.waiting),
    ];
    told.forEach((text, place) => say(this.#cells[place], text));
    this.#cells[2].title = few ? `${figures.answered} of ${ENOUGH} answers that it takes` : "";
    this.#cells[3].classList.toggle("bad", figures.refused > 0);
    this.#cells.at(-1).replaceChildren(sparkline(rates));
  }
}

function quantileText(seconds) {
  if (Number.isNaN(seconds)) return "none";
  return seconds === Infinity ? "over 10 s" : duration(seconds);
}

function sparkline(rates) {
  const width = 96;
  const height = 24;
  const highest = Math.max(1, ...rates);
  const step = width / Math.max(1, 60 / EVERY);
  const left = width - step * (rates.length - 1);
  const points = rates.map((rate, n) => `${left + n * step},${height - 1 - (rate / highest) * (height - 3)}`);
  const line = drawing("polyline", { points: points.join(" "), fill: "none" });
  const root = drawing("svg", { viewBox: `0 0 ${width} ${height}`, class: "spark", "aria-hidden": "true" });
  root.append(line);
  return root;
}
