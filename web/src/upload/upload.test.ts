import { expect, it } from "vitest";
import { Queue } from "./queue";
import { isPicture, titleOf } from "./upload";

it.each([
  ["a.jpg", "image/jpeg", true],
  ["a.HEIC", "image/heic", true], // the server says that it does not take it, and what it takes
  ["a.PNG", "", true],
  ["a.txt", "text/plain", false],
  ["png", "", false],
  ["flow.json", "application/json", false],
])("%s of type “%s” is worth sending: %s", (name, type, expected) => {
  expect(isPicture(new File([], name, { type }))).toBe(expected);
});

it("calls a picture by its file, without the ending", () => {
  expect(titleOf(new File([], "My cat v1.2.jpeg"))).toBe("My cat v1.2");
  expect(titleOf(new File([], ".png"))).toBe("Untitled picture");
});

it("does a few at a time, in order, and goes on after one that fails", async () => {
  const queue = new Queue(2);
  const begun: number[] = [];
  const ends = [0, 1, 2, 3].map((number) => {
    let end = (): void => undefined;
    const done = new Promise<void>((resolve) => (end = resolve));
    queue.add(async () => {
      begun.push(number);
      await done;
    });
    return end;
  });
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  await new Promise((resolve) => setTimeout(resolve));
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.();
  await new Promise((resolve) => setTimeout(resolve));
  expect(begun).toEqual([0, 1, 2, 3]);
});
