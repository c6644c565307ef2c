// The address of a view: what stands after its `#` says which session, branch and step are shown, and how.

/** @returns {Record<string, string>} */
export function readAddress() {
  const texts = [location.search, location.hash].map((text) => text.slice(1)); // a teacher may write ?quiz=1
  return Object.fromEntries(texts.flatMap((text) => [...new URLSearchParams(text)]));
}

/** Puts a view into the address bar; the page's history stays as it is. */
export function writeAddress(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const hash = `#${new URLSearchParams(kept)}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

/** Text as it can stand in an address: deflated, then base64url. */
export async function pack(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The text that `pack` packed. */
export async function unpack(packed) {
  const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).text();
}

/** What this browser remembers under a name; nothing where it may not remember. */
export function recall(name) {
  try {
    return localStorage.getItem(`foretrace:${name}`);
  } catch {
    return null;
  }
}

/** Has this browser remember a text, where it may. */
export function remember(name, text) {
  try {
    localStorage.setItem(`foretrace:${name}`, text);
  } catch {
    // a page without storage forgets, and works
  }
}
