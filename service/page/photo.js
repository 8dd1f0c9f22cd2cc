// Where photos come from: a file, a drop, the clipboard, a sample.

import { byId, say } from "./elements.js";
import { size } from "./format.js";

/** Calls `onPhoto(blob, name)` for every photo that is picked. */
export class PhotoPicker {
  #shown = null;
  #onPhoto;

  constructor(onPhoto) {
    this.#onPhoto = onPhoto;
    const file = byId("file");
    file.addEventListener("change", () => {
      this.#take(file.files[0]);
      file.value = ""; // the same file can be picked again
    });
    for (const button of document.querySelectorAll("[data-sample]")) {
      button.addEventListener("click", () => this.#sample(button));
    }
    this.#acceptDrops();
    document.addEventListener("paste", (event) => this.#take(event.clipboardData.files[0]));
    const preview = byId("preview");
    preview.addEventListener("error", () => this.#cannotShow());
  }

  /** Anywhere on the page, or the browser would leave it and open the file. */
  #acceptDrops() {
    const over = (on) => byId("drop").classList.toggle("over", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) over(false);
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#take(event.dataTransfer.files[0]);
    });
  }

  async #sample(button) {
    const name = button.dataset.sample;
    const answer = await fetch(`page/samples/${name}.jpg`).catch(() => null);
    if (answer?.ok) this.#take(await answer.blob(), `sample: ${name}`, button);
  }

  #take(blob, name = blob?.name, sample = null) {
    if (!blob) return;
    for (const button of document.querySelectorAll("[data-sample]")) {
      button.setAttribute("aria-pressed", String(button === sample));
    }
    this.#show(blob, name || "a pasted picture");
    this.#onPhoto(blob);
  }

  #show(blob, name) {
    if (this.#shown) URL.revokeObjectURL(this.#shown);
    this.#shown = URL.createObjectURL(blob);
    const preview = byId("preview");
    preview.src = this.#shown;
    preview.alt = `The photo that was sent: ${name}`;
    preview.hidden = false;
    byId("preview-none").hidden = true;
    byId("photo-name").hidden = false;
    say(byId("photo-name"), `${name}, ${size(blob.size)}`);
  }

  #cannotShow() {
    byId("preview").hidden = true;
    byId("preview-none").hidden = false;
    say(byId("preview-none"), "This browser cannot show the file; see what the service makes of it");
  }
}
