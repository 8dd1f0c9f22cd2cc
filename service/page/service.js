// What the page asks of the service. The API key is held here, in memory, and nowhere else.

let key = "";

const TITLES = new Map([
  [0, "The service cannot be reached."],
  [400, "The service did not understand the request."],
  [401, "The service asks for an API key."],
  [403, "This is not allowed here."],
  [404, "The service does not have this."],
  [413, "The photo is too large for this service."],
  [415, "The service cannot read this kind of file."],
  [422, "The service could not read this picture."],
  [429, "This key is used more often than it may be."],
  [500, "A model failed on this photo."],
  [503, "The service is overloaded or not ready."],
  [504, "It took longer than a request may take."],
]);

export function useKey(value) {
  key = value.trim();
}

/** What to tell a person: `title` in plain words, `message` with the details. */
export class Problem extends Error {
  constructor(title, message) {
    super(message);
    this.title = title;
  }
}

/** Why there is no answer. `status` 0: nothing came back at all. `retryAfter`: seconds, or null. */
export class Refused extends Problem {
  constructor(status, message, retryAfter = null) {
    super(`${TITLES.get(status) ?? `The service answered ${status}.`}${comeAgain(retryAfter)}`, message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

function comeAgain(seconds) {
  if (seconds === null) return "";
  return ` Try again in ${seconds} second${seconds === 1 ? "" : "s"}.`;
}

/** The answer to a request that went well; addresses are relative to the page's own. */
export async function ask(address, { method = "GET", body = null, signal = null } = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let answer;
  try {
    answer = await fetch(address, { method, body, signal, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "no answer came: it may have stopped, or the network is away");
  }
  if (answer.ok) return answer;
  const seconds = Number.parseInt(answer.headers.get("Retry-After"), 10);
  throw new Refused(answer.status, await reason(answer), Number.isNaN(seconds) ? null : seconds);
}

export const json = async (address, options) => (await ask(address, options)).json();

/** The service says why as {"error": "..."}; what stands in between may say anything. */
async function reason(answer) {
  try {
    const { error } = await answer.json();
    if (typeof error === "string") return error;
  } catch {
    // not JSON, so not from the service
  }
  return `HTTP ${answer.status} ${answer.statusText}`.trim();
}
