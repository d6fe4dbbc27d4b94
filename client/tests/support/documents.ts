import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A fenced block of a page; `mark` is what stands after the language. */
export interface Block {
  language: string;
  mark: string;
  text: string;
}

const FENCE = /^```(\w+) ?(\S*)\n(.*?)^```$/gms;

export const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");

export const blocksOf = (page: string): Block[] =>
  [...read(page).matchAll(FENCE)].map(([, language = "", mark = "", text = ""]) => ({ language, mark, text }));

/** Returns what stands under a heading of the second level, without the heading. */
export const section = (page: string, heading: string): string =>
  read(page).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
