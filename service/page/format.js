// Numbers as people read them. Inside, time is seconds and size is bytes.

/** Three digits that matter: 0.12, 4.56, 78.9, 1234. */
export function figure(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

export const milliseconds = (seconds) => `${figure(seconds * 1e3)} ms`;

export function duration(seconds) {
  return seconds < 1 ? milliseconds(seconds) : `${figure(seconds)} s`;
}

export const percent = (share) => `${(share * 100).toFixed(1)} %`;

export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["KiB", "MiB", "GiB"];
  let amount = bytes / 1024;
  while (amount >= 1024 && units.length > 1) {
    amount /= 1024;
    units.shift();
  }
  return `${Number(amount.toFixed(1))} ${units[0]}`;
}

export const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;
