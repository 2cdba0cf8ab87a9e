import { beforeEach, describe, expect, it, vi } from "vitest";
import { forgetNews, holdToasts, markNewsRead, say, sayError, useToasts } from "./toasts";

const shown = (): string[] => useToasts.getState().toasts.map(({ text }) => text);
const texts = (): string[] => useToasts.getState().news.map(({ text }) => text);

beforeEach(() => {
  vi.useFakeTimers();
  holdToasts(false);
  vi.runAllTimers();
  forgetNews();
});

describe("what is said", () => {
  it("goes by itself and is kept, the newest first", () => {
    say("One");
    sayError(new Error("The key was refused. Set another one."));
    vi.advanceTimersByTime(5_000);
    expect(shown()).toEqual(["The key was refused. Set another one."]);
    vi.advanceTimersByTime(3_000);
    expect(shown()).toEqual([]);
    expect(texts()).toEqual(["The key was refused. Set another one.", "One"]);
    expect(useToasts.getState().news.map(({ tone, isRead }) => [tone, isRead])).toEqual([["bad", false], ["plain", false]]);
    markNewsRead();
    expect(useToasts.getState().news.every(({ isRead }) => isRead)).toBe(true);
  });

  it("is said once while it is shown, and the last fifty are kept", () => {
    say("Again");
    say("Again");
    expect(shown()).toEqual(["Again"]);
    for (let count = 0; count < 60; count++) say(`Number ${count}`);
    expect(texts()).toHaveLength(50);
    expect(texts()[0]).toBe("Number 59");
  });

  it("PG41: stays while it is pointed at, and goes after that", () => {
    say("One");
    vi.advanceTimersByTime(4_000);
    holdToasts(true);
    say("Two");
    vi.advanceTimersByTime(60_000);
    expect(shown()).toEqual(["One", "Two"]);
    holdToasts(false);
    vi.advanceTimersByTime(4_000);
    expect(shown()).toEqual(["One", "Two"]);
    vi.advanceTimersByTime(1_000);
    expect(shown()).toEqual([]);
  });

  it("PG41: does not keep the others when it is pressed away", () => {
    say("One");
    say("Two");
    holdToasts(true);
    useToasts.getState().dismiss(useToasts.getState().toasts[0]?.id ?? 0);
    vi.advanceTimersByTime(5_000);
    expect(shown()).toEqual([]);
  });

  it("PG41: is not one of more than two", () => {
    for (const text of ["One", "Two", "Three"]) say(text);
    expect(shown()).toEqual(["Two", "Three"]);
    expect(texts()).toEqual(["Three", "Two", "One"]);
  });
});
