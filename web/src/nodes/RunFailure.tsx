import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";

interface RunFailureProps {
  text: string;
  isBusy?: boolean;
  onRetry?: (() => void) | undefined;
}

export function RunFailure({ text, isBusy = false, onRetry }: RunFailureProps) {
  return (
    <div className="failure" role="alert">
      <Icon name="alert" />
      <p>{text}</p>
      {onRetry && (
        <Button className="nodrag" icon="retry" disabled={isBusy} onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  );
}
