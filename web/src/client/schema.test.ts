/** The types of the protocol that are written by hand, with what only a canvas knows, beside those that the server's are made into. */
import { expectTypeOf, it } from "vitest";
import type * as schema from "./schema";
import type { ClientMessage, EdgeRecord, NodeRecord, Op, Presence, PresencePatch, PushError, Result, Run, ServerMessage, Transaction, Welcome } from "./types";

type KeysByType<M extends { type: string }> = { [T in M["type"]]: keyof Extract<M, { type: T }> };
type KeysByOp<O extends { op: string }> = { [T in O["op"]]: keyof Extract<O, { op: T }> };

it("says nothing that the server does not take", () => {
  expectTypeOf<ClientMessage>().toExtend<schema.ClientMessage>();
  expectTypeOf<Op>().toExtend<schema.Op>();
  expectTypeOf<Omit<PresencePatch, "user">>().toExtend<schema.PresenceChange>();
});

it("knows everything that the server says", () => {
  expectTypeOf<KeysByType<ClientMessage>>().toEqualTypeOf<KeysByType<schema.ClientMessage>>();
  expectTypeOf<KeysByType<ServerMessage>>().toEqualTypeOf<KeysByType<schema.ServerMessage>>();
  expectTypeOf<KeysByOp<Op>>().toEqualTypeOf<KeysByOp<schema.Op>>();
  expectTypeOf<keyof Transaction>().toEqualTypeOf<keyof schema.Transaction>();
  expectTypeOf<keyof Result>().toEqualTypeOf<keyof schema.Result>();
  expectTypeOf<keyof Presence>().toEqualTypeOf<keyof schema.Shown>();
});

it("takes what the server says as it is meant", () => {
  expectTypeOf<Omit<schema.Welcome, "results" | "viewport">>().toExtend<Omit<Welcome, "results" | "viewport">>();
  expectTypeOf<schema.RunNews>().toExtend<Run>();
  expectTypeOf<schema.ResultError>().toExtend<PushError>();
  expectTypeOf<schema.Author>().toExtend<Transaction["by"]>();
  expectTypeOf<Pick<schema.Node, "id" | "position">>().toExtend<Pick<NodeRecord, "id" | "position">>();
  expectTypeOf<Pick<schema.Edge, "id" | "source" | "target">>().toExtend<Pick<EdgeRecord, "id" | "source" | "target">>();
});
