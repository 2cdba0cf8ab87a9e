import { Button } from "../ui/Button";

interface GenerateFootProps {
  isReady: boolean;
  /** Nothing says yet what the picture should show. */
  isBlank: boolean;
  mayRun: boolean;
  price: { text: string; title: string };
  onGenerate: () => void;
}

export function GenerateFoot({ isReady, isBlank, mayRun, price, onGenerate }: GenerateFootProps) {
  return (
    <footer className="card__foot">
      {mayRun ? (
        <Button
          look="primary"
          className="nodrag"
          data-testid="generate"
          disabled={!isReady}
          title={isBlank ? "Write a prompt first" : `Ctrl + Enter. ${price.title}`.trim()}
          onClick={onGenerate}
        >
          Generate
          {price.text !== "" && <span className="settings__price">{price.text}</span>}
        </Button>
      ) : (
        <span className="card__note" title="The owner of this canvas decides who may. Ask them.">
          Edit only
        </span>
      )}
    </footer>
  );
}
