import { createContext, use } from "react";

export const WorkflowIdContext = createContext("");

export function useWorkflowId(): string {
  return use(WorkflowIdContext);
}
