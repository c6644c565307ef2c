// What the type checker needs to know of codemirror.js. It is not shipped.
export function makeEditor(
  parent: Element,
  text: string,
  options: { onChange: (text: string) => void; label: string },
): { destroy(): void; dispatch(transaction: object): void; state: { doc: { toString(): string; length: number } } };
