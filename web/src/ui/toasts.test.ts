import { beforeEach, describe, expect, it, vi } from "vitest";
import { forgetNews, markNewsRead, say, sayError, useToasts } from "./toasts";

const texts = (): string[] => useToasts.getState().news.map(({ text }) => text);

beforeEach(() => {
  vi.useFakeTimers();
  vi.runAllTimers();
  forgetNews();
});

describe("what is said", () => {
  it("goes by itself and is kept, the newest first", () => {
    say("One");
    sayError(new Error("The key was refused. Set another one."));
    vi.advanceTimersByTime(7_000);
    expect(useToasts.getState().toasts.map(({ text }) => text)).toEqual(["The key was refused. Set another one."]);
    vi.advanceTimersByTime(5_000);
    expect(useToasts.getState().toasts).toEqual([]);
    expect(texts()).toEqual(["The key was refused. Set another one.", "One"]);
    expect(useToasts.getState().news.map(({ tone, isRead }) => [tone, isRead])).toEqual([["bad", false], ["plain", false]]);
    markNewsRead();
    expect(useToasts.getState().news.every(({ isRead }) => isRead)).toBe(true);
  });

  it("is said once while it is shown, and the last fifty are kept", () => {
    say("Again");
    say("Again");
    for (let count = 0; count < 60; count++) say(`Number ${count}`);
    expect(texts()).toHaveLength(50);
    expect(texts()[0]).toBe("Number 59");
    expect(useToasts.getState().toasts.filter(({ text }) => text === "Again")).toHaveLength(1);
  });
});
