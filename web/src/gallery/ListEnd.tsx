import { Button } from "../ui/Button";

interface ListEndProps {
  count: number;
  hasMore: boolean;
  failure: Error | null;
  onRetry: () => void;
}

/** What stands below the last tile: that more is coming, why it is not, or that this was all. */
export function ListEnd({ count, hasMore, failure, onRetry }: ListEndProps) {
  if (failure !== null) {
    return (
      <div className="tiles__end" role="alert">
        <p>{failure.message}</p>
        <Button onClick={onRetry}>Try again</Button>
      </div>
    );
  }
  return <p className="tiles__end">{hasMore ? "Loading more…" : count === 1 ? "1 picture" : `All ${count.toLocaleString("en")} pictures`}</p>;
}
