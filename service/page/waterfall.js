// Where a request's time went: a row for each model, its stages one behind the other.

import { byId, element, say } from "./elements.js";
import { figure, milliseconds } from "./format.js";

export const STAGES = ["receive", "decode", "resize", "queue", "inference", "respond"];

/** The median of each stage over several answers of one model. */
export function medians(answers) {
  const names = STAGES.filter((stage) => answers.some(({ timings }) => stage in timings));
  return Object.fromEntries(
    names.map((stage) => [stage, median(answers.map(({ timings }) => timings[stage] ?? 0))]),
  );
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const total = (timings) => Object.values(timings).reduce((sum, seconds) => sum + seconds, 0);

/** `rows`: each model with its `timings`, medians where the photo was sent several `times`;
 * `whole`: seconds of a request as the browser and as the service saw it. */
export function showTimes(rows, times, whole) {
  const longest = Math.max(...rows.map(({ timings }) => total(timings)));
  byId("waterfall").replaceChildren(...rows.map((row) => waterfallRow(row, longest)));
  const stages = STAGES.filter((stage) => rows.some(({ timings }) => stage in timings));
  byId("legend").replaceChildren(...stages.map(legendEntry));
  byId("times").replaceChildren(...tableParts(rows, stages));
  for (const part of ["legend", "numbers"]) byId(part).hidden = rows.length === 0;
  say(byId("times-what"), caption(rows.length, times, whole));
}

export function clearTimes() {
  for (const part of ["legend", "waterfall", "times"]) byId(part).replaceChildren();
  for (const part of ["legend", "numbers"]) byId(part).hidden = true;
  say(byId("times-what"), "Send a photo to see the stages of its request, on one scale for all models.");
}

function caption(models, times, { browser, service }) {
  const what = times > 1 ? `Medians of ${times} requests.` : "One request.";
  const shared =
    models > 1
      ? " The photo is received and decoded once for all models, which then answer one after the other."
      : "";
  const inside = service === null ? "" : `, ${milliseconds(service)} of them in the service`;
  const waiting = " What is in no stage is waiting for a thread or the event loop.";
  return `${what}${shared} The whole took ${milliseconds(browser)} as this browser saw it${inside}.${waiting}`;
}

function waterfallRow({ model, timings }, longest) {
  const told = Object.entries(timings).map(([stage, seconds]) => `${stage} ${milliseconds(seconds)}`);
  const track = element("div", { class: "track", role: "img", "aria-label": told.join(", ") });
  let start = 0;
  for (const [stage, seconds] of Object.entries(timings)) {
    const bar = element("span", { class: "stage", "data-stage": stage, title: `${stage} ${milliseconds(seconds)}` });
    bar.style.setProperty("--start", String(start / longest));
    bar.style.setProperty("--length", String(seconds / longest));
    bar.style.setProperty("--lane", String(STAGES.indexOf(stage)));
    track.append(bar);
    start += seconds;
  }
  return element(
    "li",
    {},
    element("span", { class: "model" }, model),
    track,
    element("span", { class: "total" }, milliseconds(total(timings))),
  );
}

function legendEntry(stage) {
  const mark = element("span", { class: "mark", "data-stage": stage, "aria-hidden": "true" });
  return element("li", {}, mark, stage);
}

function tableParts(rows, stages) {
  const heading = (text) => element("th", { scope: "col" }, text);
  const head = element("tr", {}, heading("model, ms"), ...stages.map(heading), heading("sum"));
  const body = rows.map(({ model, timings }) => {
    const cells = [...stages.map((stage) => timings[stage]), total(timings)];
    const told = cells.map((seconds) => (seconds === undefined ? "" : figure(seconds * 1e3)));
    return element("tr", {}, element("th", { scope: "row" }, model), ...told.map((text) => element("td", {}, text)));
  });
  return [element("thead", {}, head), element("tbody", {}, ...body)];
}
