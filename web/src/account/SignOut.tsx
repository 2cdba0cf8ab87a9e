import { useState } from "react";
import { http, useMe } from "../session";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { sayError } from "../ui/toasts";

interface SignOutProps {
  /** In every browser, not only in this one. */
  isEverywhere: boolean;
  onClose: () => void;
}

/** Asks once more, and says how one comes back. */
export function SignOut({ isEverywhere, onClose }: SignOutProps) {
  const { role } = useMe();
  const [isBusy, setBusy] = useState(false);
  const title = isEverywhere ? "Sign out everywhere" : "Sign out";
  const signOut = (): void => {
    setBusy(true);
    const done = isEverywhere ? http.logoutEverywhere() : http.logout();
    done.then(() => window.location.assign("/signed-out"), (reason: unknown) => {
      sayError(reason);
      setBusy(false);
    });
  };
  return (
    <Dialog label={title} className="dialog sign-out" onClose={onClose}>
      <h2>{title}?</h2>
      <p>
        {isEverywhere && "Every browser that is signed in as you is signed out, this one too. API tokens stay. "}
        {role === "guest" ? "You come back through the link that you were sent." : "You come back with a new login link; your canvases stay."}
      </p>
      <div className="sign-out__acts">
        <Button autoFocus onClick={onClose}>
          Stay
        </Button>
        <Button look="primary" icon="sign-out" disabled={isBusy} onClick={signOut}>
          {title}
        </Button>
      </div>
    </Dialog>
  );
}
