import { createContext, use } from "react";
import { createHttp, type Me } from "./client";

/** The page talks to its own origin and signs in with its cookie. */
export const http = createHttp();

export const SessionContext = createContext<Me | null>(null);

export function useMe(): Me {
  const me = use(SessionContext);
  if (me === null) throw new Error("useMe needs a signed-in <SessionContext> above it.");
  return me;
}
