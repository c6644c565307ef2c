// Which session of the server a page shows: by its id, from a link that holds it, or the one to begin with.
import { pack, unpack, writeAddress } from "./address.js";
import { Live } from "./live.js";

const KEPT = "foretrace:session:";

/** The session that an address means, and what to tell the user about it. */
export async function openLive(address) {
  if (address.saved) {
    const source = await Live.open({ saved: await unpack(address.saved) });
    return { source, notice: "" };
  }
  if (!address.s) return { source: await Live.start(), notice: "" };
  try {
    return { source: await Live.resume(address.s), notice: "" };
  } catch (error) {
    if (error.status !== 404) throw error;
    return restore(address.s);
  }
}

/** A session that the server has forgotten, from what this browser kept of it. */
async function restore(id) {
  const kept = localStorage.getItem(KEPT + id);
  if (!kept) {
    writeAddress({});
    return { source: await Live.start(), notice: "that session is over; this is the example" };
  }
  const source = await Live.open({ saved: await unpack(kept) });
  return { source, notice: "the server was restarted; the session was made again, without what was run" };
}

/** Keeps what a session is, in case the server forgets it; the last few only. */
export async function keep(source) {
  const { saved } = await source.ask("saved");
  const ids = JSON.parse(localStorage.getItem(KEPT) ?? "[]").filter((id) => id !== source.id);
  for (const old of ids.splice(0, Math.max(ids.length - 9, 0))) localStorage.removeItem(KEPT + old);
  localStorage.setItem(KEPT, JSON.stringify([...ids, source.id]));
  localStorage.setItem(KEPT + source.id, await pack(saved));
}

/** An address that holds the whole session, for somebody else with the same model. */
export async function link(source) {
  const { saved } = await source.ask("saved");
  return `${location.origin}${location.pathname}#saved=${await pack(saved)}`;
}
