import { useLate } from "./useLate";

export function Loading({ label }: { label: string }) {
  const isLate = useLate(true);
  return (
    <div className="loading" role="status">
      {isLate && (
        <>
          <span className="spinner" aria-hidden="true" />
          <span>{label}…</span>
        </>
      )}
    </div>
  );
}
