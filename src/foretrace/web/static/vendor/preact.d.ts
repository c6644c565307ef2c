// What the type checker needs to know of preact.js. It is not shipped.
export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function mount(tree: unknown, element: Element | null): void;
export function useCallback<T>(callback: T, inputs: unknown[]): T;
export function useEffect(effect: () => unknown, inputs?: unknown[]): void;
export function useLayoutEffect(effect: () => unknown, inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useRef<T = any>(value: T | null): { current: any };
export function useState<T = any>(value: T | (() => T)): [any, (value: any) => void];
