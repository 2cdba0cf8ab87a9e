import { useShallow } from "zustand/react/shallow";
import { Button } from "../ui/Button";
import { UploadProgress } from "../upload/UploadProgress";
import { forgetUpload, useUploads } from "../upload/uploads";

/** What is being sent from this page, and what could not be. */
export function UploadList() {
  const uploads = useUploads(useShallow((state) => Object.values(state.uploads).filter(({ place }) => place === undefined)));
  if (uploads.length === 0) return null;
  return (
    <ul className="uploads" aria-label="Uploads">
      {uploads.map((upload) => (
        <li key={upload.id}>
          <span className="uploads__name">{upload.file.name}</span>
          {upload.failure === null ? (
            <UploadProgress upload={upload} />
          ) : (
            <span className="uploads__failure" role="alert">
              {upload.failure}
              <Button look="ghost" icon="close" aria-label="Dismiss" onClick={() => forgetUpload(upload.id)} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
