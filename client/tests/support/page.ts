import { vi } from "vitest";

function setVisibility(state: DocumentVisibilityState) {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  vi.spyOn(document, "hidden", "get").mockReturnValue(state === "hidden");
  document.dispatchEvent(new Event("visibilitychange"));
}

export const hidePage = () => setVisibility("hidden");

export const showPage = () => setVisibility("visible");

export const leavePage = () => window.dispatchEvent(new Event("pagehide"));

export const comeBackToPage = () => window.dispatchEvent(new Event("pageshow"));

export const goOnline = () => window.dispatchEvent(new Event("online"));
