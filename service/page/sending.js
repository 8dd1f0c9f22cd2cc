// Sends the photo, once or many times, and shows what came back.

import { byId, element, say } from "./elements.js";
import { counted, milliseconds, size } from "./format.js";
import { Problem, Refused, ask } from "./service.js";
import { clearTimes, medians, showTimes } from "./waterfall.js";

const TIMES = 100;
/** Pixels below which everything is in one column, as in style.css. */
const NARROW = 992;

export class Sender {
  limit = Infinity;
  #cards;
  #photo = null;
  #current = null;
  #onRefused;

  /** `onRefused(status)`: a request was not answered, and with which status. */
  constructor(cards, onRefused) {
    this.#cards = cards;
    this.#onRefused = onRefused;
    byId("again").addEventListener("click", () => this.#send(1));
    byId("repeat").addEventListener("click", () => this.#repeatOrStop());
  }

  take(photo) {
    this.#photo = photo;
    byId("again").disabled = byId("repeat").disabled = false;
    this.#send(1);
  }

  #repeatOrStop() {
    if (byId("repeat").dataset.running !== "true") return this.#send(TIMES);
    this.#current.abort();
    repeating(false);
    return say(byId("summary"), "Stopped.");
  }

  /** One after the other; a newer photo ends it. */
  async #send(times) {
    this.#current?.abort();
    const mine = (this.#current = new AbortController());
    byId("problem").hidden = true;
    this.#cards.clear();
    repeating(times > 1);
    const sent = [];
    try {
      this.#check();
      for (let n = 1; n <= times; n += 1) {
        say(byId("summary"), times > 1 ? `Sending: ${n} of ${times}` : "Sending …");
        sent.push(await this.#once(mine.signal));
        this.#show(sent);
      }
      say(byId("summary"), summary(sent));
      if (times === 1) comeToView();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (sent.length === 0) forget();
      else say(byId("summary"), `Stopped after ${counted(sent.length, "answer")}.`);
      this.#explain(error);
    } finally {
      if (this.#current === mine) repeating(false);
    }
  }

  #check() {
    const { size: bytes } = this.#photo;
    if (bytes > this.limit) {
      const most = `${size(this.limit)} (--max-body-bytes)`;
      throw new Refused(413, `It has ${size(bytes)}, the service takes up to ${most}. Nothing was sent.`);
    }
    if (this.#cards.noneChosen) {
      throw new Problem("No model is ticked.", "Tick “ask” at one model or more, and send again.");
    }
  }

  async #once(signal) {
    const chosen = this.#cards.chosen;
    const which = chosen === null ? "" : `?models=${chosen.map(encodeURIComponent).join(",")}`;
    const started = performance.now();
    const answer = await ask(`v1/compare${which}`, { method: "POST", body: this.#photo, signal });
    const { results } = await answer.json();
    return { results, browser: (performance.now() - started) / 1e3, service: total(answer) };
  }

  #show(sent) {
    const { results } = sent.at(-1);
    const typical = results.map((result) => withMedians(result, sent));
    const many = sent.length > 1;
    this.#cards.show(typical, many ? `in the service, median of ${sent.length}` : "in the service");
    const rows = typical.filter((result) => result.error === undefined);
    showTimes(rows, sent.length, middle(sent));
    warnOfUntrained(rows);
  }

  #explain(error) {
    const problem = error instanceof Problem ? error : new Problem("The page failed.", String(error));
    const box = byId("problem");
    box.replaceChildren(element("strong", {}, problem.title), ` ${problem.message}`);
    box.hidden = false;
    this.#onRefused(problem.status);
  }
}

/** Nothing of an earlier photo stays beside one that was not answered. */
function forget() {
  say(byId("summary"), "");
  byId("untrained").hidden = true;
  clearTimes();
}

/** In one column the answers are below what a small screen shows. */
function comeToView() {
  const title = byId("answers-title");
  const { innerHeight, innerWidth } = window;
  const low = title.getBoundingClientRect().top > innerHeight / 2;
  if (low && innerWidth < NARROW) title.scrollIntoView({ block: "start" });
}

function withMedians(result, sent) {
  if (result.error !== undefined || sent.length === 1) return result;
  const same = sent.flatMap(({ results }) => results.filter(({ model }) => model === result.model));
  return { ...result, timings: medians(same.filter(({ timings }) => timings !== undefined)) };
}

/** Seconds from `Server-Timing: ..., total;dur=MILLISECONDS`; null where a proxy took it out. */
function total(answer) {
  const found = /\btotal;dur=([\d.]+)/.exec(answer.headers.get("Server-Timing") ?? "");
  return found ? Number(found[1]) / 1e3 : null;
}

const middle = (sent) => sent.toSorted((a, b) => a.browser - b.browser)[sent.length >> 1];

function warnOfUntrained(answered) {
  const random = answered.filter((result) => !result.trained);
  byId("untrained").hidden = random.length === 0;
  const who = random.length === answered.length ? "These models" : "The models marked untrained";
  say(byId("untrained"), `${who} never learnt: their weights are random and their labels mean nothing. Their times are real.`);
}

function summary(sent) {
  const { results } = sent.at(-1);
  const answered = results.filter((result) => result.error === undefined);
  const failed = results.length - answered.length;
  const took = milliseconds(middle(sent).browser);
  const how = sent.length > 1 ? `answered ${sent.length} times, ${took} in the median` : `answered in ${took}`;
  const without = failed ? ` ${counted(failed, "model")} did not answer.` : "";
  return `${counted(answered.length, "model")} ${how}. ${agreement(answered)}${without}`;
}

function agreement(answered) {
  const votes = new Map();
  for (const { predictions } of answered) {
    votes.set(predictions[0].label, (votes.get(predictions[0].label) ?? 0) + 1);
  }
  const [best, count] = [...votes].sort((a, b) => b[1] - a[1])[0];
  if (answered.length === 1) return `It says “${best}”.`;
  if (count === answered.length) return `All say “${best}”.`;
  return count > 1 ? `${count} of them say “${best}”.` : "Each says something else.";
}

function repeating(on) {
  const button = byId("repeat");
  button.dataset.running = String(on);
  say(button, on ? "Stop" : `Send ${TIMES} times`);
}
