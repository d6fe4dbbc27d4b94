// All that the package's types ask of their surroundings; no DOM, and none of Node's that came with version 22.
interface AbortSignal {
  readonly aborted: boolean;
}

declare const console: { log(...data: unknown[]): void };
