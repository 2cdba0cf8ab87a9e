import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { EaselError, type Me } from "./client";
import { Editor } from "./editor/Editor";
import { followLink, parseRoute, usePath } from "./route";
import { http, SessionContext } from "./session";
import { SignIn } from "./SignIn";
import { Button } from "./ui/Button";
import { Loading } from "./ui/Loading";
import { Notice } from "./ui/Notice";
import { Toasts } from "./ui/Toasts";
import { WorkflowList } from "./workflows/WorkflowList";

const ArtworksPage = lazy(() => import("./gallery/ArtworksPage"));
const RunsPage = lazy(() => import("./runs/RunsPage"));
const RendersPage = lazy(() => import("./gallery/RendersPage"));

export function App() {
  const [me, setMe] = useState<Me | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);

  useEffect(() => {
    http.me().then(setMe, setFailure);
  }, []);

  const session = useMemo(
    () => me && { me, rename: (name: string) => http.updateMe({ name }).then(setMe) },
    [me],
  );

  if (failure instanceof EaselError && failure.status === 401) return <SignIn />;
  if (failure !== null) {
    return (
      <Notice
        title="Easel cannot be reached"
        actions={
          <Button look="primary" onClick={() => window.location.reload()}>
            Try again
          </Button>
        }
      >
        {failure.message}
      </Notice>
    );
  }
  if (session === null) return <Loading label="Opening Easel" />;
  return (
    <SessionContext value={session}>
      <Suspense fallback={<Loading label="Opening the page" />}>
        <Page />
      </Suspense>
      <Toasts />
    </SessionContext>
  );
}

function Page() {
  const path = usePath();
  const route = useMemo(() => parseRoute(path), [path]);
  switch (route.page) {
    case "workflows":
      return <WorkflowList />;
    case "canvas":
      return <Editor key={route.workflowId} workflowId={route.workflowId} />;
    case "renders":
      return <RendersPage />;
    case "artworks":
      return <ArtworksPage />;
    case "runs":
      return <RunsPage />;
    case "unknown":
      return (
        <Notice
          title="There is nothing here"
          actions={
            <a className="button button--primary" href="/" onClick={followLink}>
              All canvases
            </a>
          }
        >
          This address does not lead to a canvas. Perhaps the link was cut short.
        </Notice>
      );
  }
}
