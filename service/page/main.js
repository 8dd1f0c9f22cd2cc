// The page: asks the service what is loaded, sends it photos, and shows what comes back.

import { Cards } from "./cards.js";
import { Catalogue } from "./catalogue.js";
import { byId, say } from "./elements.js";
import { counted, size } from "./format.js";
import { Live } from "./live.js";
import { PhotoPicker } from "./photo.js";
import { Sender } from "./sending.js";
import { json, useKey } from "./service.js";

/** Seconds between two looks at the models. */
const WHILE_LOADING = 1;
const OTHERWISE = 15;

const catalogue = new Catalogue();
const cards = new Cards(byId("cards"));
const live = new Live();
const sender = new Sender(cards, (status) => status === 401 && askForKey());
let wake = () => {};

async function watch() {
  for (;;) await sleep((await look()) ? OTHERWISE : WHILE_LOADING);
}

function sleep(seconds) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, seconds * 1e3);
  });
}

/** Whether it will do to look again later. */
async function look() {
  if (document.hidden) return true;
  try {
    await catalogue.refresh();
  } catch (error) {
    return showFailure(error);
  }
  cards.update(catalogue.shown);
  live.update(catalogue.loaded.map((model) => model.id));
  const others = catalogue.others.join(", ");
  say(byId("others"), others && `Also in the repository, not loaded: ${others}.`);
  showState();
  return catalogue.settled;
}

function showFailure(error) {
  if (error.status === 401) {
    askForKey();
    state("bad", "needs a valid API key");
    return true;
  }
  state("bad", error.title ?? String(error));
  return error.status === 429;
}

function showState() {
  const loading = catalogue.models.find((model) => model.state === "LOADING");
  const ready = catalogue.models.filter((model) => model.info && model.state === "READY").length;
  const told = ready ? `${counted(ready, "model")} ready` : "no model is ready";
  if (loading) state("busy", `${told}, loading ${loading.id}`);
  else state(ready ? "good" : "bad", told);
}

function state(kind, text) {
  byId("state").dataset.kind = kind;
  say(byId("state-text"), text);
}

function askForKey() {
  byId("key-form").hidden = false;
}

function takeKey(event) {
  event.preventDefault();
  useKey(byId("key").value);
  byId("key").value = "";
  byId("key-form").hidden = true;
  wake();
}

async function readSettings() {
  const settings = await json("page/settings.json");
  sender.limit = settings.max_body_bytes;
  say(byId("version"), settings.version);
  const pixels = `${Number((settings.max_pixels / 1e6).toFixed(1))} megapixels`;
  say(byId("limits"), ` up to ${size(settings.max_body_bytes)} and ${pixels}`);
  return settings;
}

new PhotoPicker((photo) => sender.take(photo));
byId("key-form").addEventListener("submit", takeKey);
document.addEventListener("visibilitychange", () => document.hidden || wake());
const settings = await readSettings().catch(showFailure);
if (settings.keys) {
  askForKey();
  state("bad", "needs an API key");
  byId("key").focus();
  await new Promise((given) => (wake = given));
}
watch();
