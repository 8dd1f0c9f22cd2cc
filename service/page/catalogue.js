// Which models there are and in which state, as the repository's index and /v1/models tell.

import { json } from "./service.js";

/** The reason the index gives for what nobody asked to load. */
const UNTRIED = "not loaded";

/** One model: `info` is what /v1/models says of it, null unless it is loaded. */
export class Catalogue {
  models = [];
  #infos = new Map();

  /** Asks again; true where anything has changed. */
  async refresh() {
    const index = await json("v2/repository/index", { method: "POST", body: "{}" });
    const loaded = index.filter((entry) => entry.state === "READY").map((entry) => entry.name);
    const before = JSON.stringify(this.models);
    if (loaded.some((id) => !this.#infos.has(id)) || loaded.length !== this.#infos.size) {
      const { models } = await json("v1/models");
      this.#infos = new Map(models.map((info) => [info.id, info]));
    }
    const known = new Map(index.map((entry) => [entry.name, entry]));
    // Those that are loaded come first, in the service's order: that of the answers.
    const ids = new Set([...this.#infos.keys(), ...known.keys()]);
    this.models = [...ids].map((id) => this.#model(id, known.get(id)));
    return before !== JSON.stringify(this.models);
  }

  /** Those that were asked for: loaded, being loaded, or failed. */
  get shown() {
    return this.models.filter((model) => model.info || model.reason !== UNTRIED);
  }

  /** Ids of what merely lies in the repository. */
  get others() {
    return this.models.filter((model) => !this.shown.includes(model)).map((model) => model.id);
  }

  get loaded() {
    return this.models.filter((model) => model.info);
  }

  get settled() {
    return this.models.length > 0 && this.models.every((model) => model.state !== "LOADING");
  }

  #model(id, entry) {
    return {
      id,
      state: entry?.state ?? "READY",
      reason: entry?.reason ?? "",
      info: this.#infos.get(id) ?? null,
    };
  }
}
