import type { Slot } from "../src/remembered";

export function memorySlot(text: string | null = null): Slot {
  return {
    read: () => text,
    write(next) {
      text = next;
    },
  };
}
