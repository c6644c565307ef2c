// What the page draws with: Preact, its hooks, and htm bound to it.
import { h, render } from "preact";
import htm from "htm";

export { useEffect, useLayoutEffect, useMemo, useRef, useState, useCallback } from "preact/hooks";
export const html = htm.bind(h);
export const mount = (tree, element) => render(tree, element);
