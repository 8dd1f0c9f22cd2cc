// One card for each model: what runs it, what it answered, or why it did not.

import { element, say } from "./elements.js";
import { counted, milliseconds, percent } from "./format.js";

export class Cards {
  #list;
  #cards = new Map();

  constructor(list) {
    this.#list = list;
  }

  /** A card for each of these models; those that stay keep their place, their answer and focus. */
  update(models) {
    const several = models.filter((model) => model.info).length > 1;
    const cards = new Map(models.map(({ id }) => [id, this.#cards.get(id) ?? new Card(id)]));
    for (const model of models) cards.get(model.id).describe(model, several);
    const wanted = [...cards.values()].map((card) => card.root);
    const present = [...this.#list.children];
    if (wanted.length !== present.length || wanted.some((root, place) => root !== present[place])) {
      this.#list.replaceChildren(...wanted);
    }
    this.#cards = cards;
  }

  /** Ids of the models that are to be asked; null for all that are loaded. */
  get chosen() {
    const ready = [...this.#cards].filter(([, card]) => card.ready);
    const chosen = ready.filter(([, card]) => card.included);
    return chosen.length === ready.length ? null : chosen.map(([id]) => id);
  }

  get noneChosen() {
    return this.chosen?.length === 0;
  }

  /** `what` says which times the results have: those of one request, or medians of several. */
  show(results, what) {
    for (const result of results) this.#cards.get(result.model)?.show(result, what);
  }

  clear() {
    for (const card of this.#cards.values()) card.clear();
  }
}

class Card {
  #about = element("p", { class: "about" });
  #state = element("p", { class: "card-state" });
  #time = element("p", { class: "time" });
  #answers = element("ol", { class: "predictions", role: "list" });
  #include = element("input", { type: "checkbox" });
  #choice;

  constructor(id) {
    const title = element("h3", {}, id);
    this.#include.checked = true;
    this.#include.setAttribute("aria-label", `Ask ${id}`);
    this.#choice = element("label", { class: "include" }, this.#include, element("span", {}, "ask"));
    const head = element("div", { class: "card-head" }, title, this.#choice);
    this.root = element("li", { class: "card" }, head, this.#about, this.#state, this.#time, this.#answers);
    this.#include.addEventListener("change", () => this.clear());
    this.clear();
  }

  get ready() {
    return this.root.dataset.state === "ready";
  }

  get included() {
    return this.#include.checked;
  }

  describe({ info, state, reason }, several) {
    const serves = info !== null && state === "READY";
    this.root.dataset.state = serves ? "ready" : state === "LOADING" ? "loading" : "failed";
    this.#choice.hidden = !several || !serves;
    say(this.#about, info ? about(info) : "");
    say(this.#state, stateText(serves, state, reason));
    this.#state.hidden = this.#state.textContent === "";
    if (!serves) this.clear();
  }

  show(result, what) {
    this.clear();
    if (result.error !== undefined) {
      this.root.dataset.answer = "failed";
      say(this.#time, "No answer from this model.");
      this.#answers.append(element("li", { class: "why" }, result.error));
      return;
    }
    this.root.dataset.answer = "there";
    const seconds = Object.values(result.timings).reduce((sum, each) => sum + each, 0);
    this.#time.append(element("strong", {}, milliseconds(seconds)), ` ${what}`);
    if (!result.trained) this.#time.append(" ", element("span", { class: "badge" }, "untrained"));
    this.#answers.append(...result.predictions.map(prediction));
  }

  clear() {
    delete this.root.dataset.answer;
    this.#time.replaceChildren();
    this.#answers.replaceChildren();
  }
}

function about(info) {
  const how = `${counted(info.instances, "instance")} of ${counted(info.threads, "thread")}`;
  const names = info.aliases.length ? ` · alias ${info.aliases.join(", ")}` : "";
  return `${info.manifest.precision} · ${info.runtime} on ${info.device} · ${how}${names}`;
}

function stateText(serves, state, reason) {
  if (serves) return reason ? `Serves on; what was last tried with it failed: ${reason}` : "";
  if (state === "LOADING") return "Loading: it is opened, verified and warmed up.";
  return `Not serving: ${reason || "no reason was given"}`;
}

function prediction({ label, probability }) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", String(Math.min(1, Math.max(0, probability))));
  return element(
    "li",
    {},
    element("span", { class: "label" }, label),
    element("span", { class: "probability" }, percent(probability)),
    bar,
  );
}
