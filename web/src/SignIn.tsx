import { Notice } from "./ui/Notice";

export function SignIn() {
  return (
    <Notice title={window.location.pathname === "/signed-out" ? "You have signed out" : "Open your login link"}>
      Easel signs you in with a link instead of a password. Open the one that <code>easel up</code> printed, or run{" "}
      <code>easel login-link</code> for a new one. Invited by someone else? Open the link they sent you.
    </Notice>
  );
}
