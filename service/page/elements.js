// Elements out of plain values. Strings become text: nothing on this page is ever parsed as HTML.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(attribute, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawing(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Sets the text only where it changes, so that a screen reader is not told it twice. */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
