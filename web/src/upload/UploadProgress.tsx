import { Button } from "../ui/Button";
import type { Upload } from "./uploads";

export function UploadProgress({ upload }: { upload: Upload }) {
  const percent = Math.round(upload.share * 100);
  const text = upload.share === 0 ? "Waiting" : upload.share < 1 ? "Sending" : "Looking at it";
  return (
    <div className="run__line" data-testid="upload-progress">
      <progress className="visually-hidden" value={percent} max={100} aria-label={`Upload of ${upload.file.name}`} />
      <span className="run__text">{text}</span>
      <span className="run__numbers" aria-hidden="true">
        {percent} %
      </span>
      <Button look="ghost" icon="stop" className="nodrag" aria-label="Cancel the upload" onClick={upload.cancel} />
    </div>
  );
}
