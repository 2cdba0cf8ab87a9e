import { expect, it } from "vitest";
import { fileNameOf } from "./saving";

it.each([
  ["A fox, in the SNOW!", "a-fox-in-the-snow"],
  ["", "picture"],
  ["…!?", "picture"],
  ["ein Füchslein 狐 2", "ein-füchslein-狐-2"],
  ["word ".repeat(40), Array(12).fill("word").join("-")],
])("names a file after %s", (prompt, name) => {
  expect(fileNameOf(prompt)).toBe(name);
});
