// Where the page begins: in a file of its own, on a session that the address names, or on what the server begins with.
import { App } from "./app.js";
import { readAddress } from "./address.js";
import { html, mount } from "./vendor/preact.js";
import { recordedSession } from "./recorded.js";

const root = document.getElementById("app");

async function begin() {
  const address = readAddress();
  const recorded = await recordedSession();
  if (recorded) return mount(html`<${App} source=${recorded} address=${address} />`, root);
  const { openLive } = await import("./opening.js");
  const { source, notice } = await openLive(address);
  return mount(html`<${App} source=${source} address=${address} notice=${notice} />`, root);
}

addEventListener("hashchange", () => location.reload()); // somebody has put another address there
begin().catch((error) => {
  mount(
    html`<main class="failed" role="alert">
      <h1>foretrace</h1>
      <p>${error.message}</p>
    </main>`,
    root,
  );
});
