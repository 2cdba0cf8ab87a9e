import { expect, it } from "vitest";
import { withNewest } from "./newest";

const idOf = ({ id }: { id: number }): number => id;

it("puts what is new before what was known, each once and as it is now", () => {
  const known = [{ id: 2, name: "old" }, { id: 1, name: "first" }];

  expect(withNewest([{ id: 3, name: "new" }, { id: 2, name: "renamed" }], known, idOf)).toEqual([
    { id: 3, name: "new" },
    { id: 2, name: "renamed" },
    { id: 1, name: "first" },
  ]);
});
