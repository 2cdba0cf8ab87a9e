import { createContext, use } from "react";
import { createHttp, type Me } from "./client";

/** The page talks to its own origin and signs in with its cookie. */
export const http = createHttp();

interface Session {
  me: Me;
  /** Raises EaselError for a name that is none. */
  rename: (name: string) => Promise<void>;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error("useSession needs a signed-in <SessionContext> above it.");
  return session;
}

export function useMe(): Me {
  return useSession().me;
}
