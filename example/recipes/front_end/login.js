// Logs a person in from a page of another origin, which Config.TrustedOrigins lists.
// gate is the gate's origin, such as "https://app.example.com".
//
// show is called with what the page has to show:
//   { state, picture, number }  the QR code for an <img>, and the number to compare. In the
//                               state "rejected" the person may not log in, unless they prove
//                               another phone number: offer to start again, too
//   { account, go, deny }       whose account it is; go() logs in, deny() refuses
// It resolves to the user once they are logged in, and to null if they are not. A signal of an
// AbortController, if there is one, makes it fail: for a page that was left, and for a new start.
export async function logIn(gate, show, signal) {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  // call tries again while the gate cannot be reached, or is just starting.
  const call = async (path, body, tries = 5) => {
    for (let left = tries; ; left--) {
      if (signal && signal.aborted) throw new Error("the login was given up");
      const limit = new AbortController();
      const stop = () => limit.abort();
      const timer = setTimeout(stop, 40000); // the gate answers within 25 seconds
      if (signal) signal.addEventListener("abort", stop);
      try {
        const answer = await fetch(new URL(path, gate), {
          credentials: "include",
          cache: "no-store",
          signal: limit.signal,
          // JSON even without a body: the gate refuses anything that a form could send.
          ...(body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
        });
        const result = answer.status === 204 ? {} : await answer.json();
        if (answer.ok) return result;
        throw Object.assign(new Error(result.detail), { status: answer.status, code: result.code });
      } catch (error) {
        if (left <= 1 || signal && signal.aborted || error.status < 500 && error.status !== 429) throw error;
      } finally {
        clearTimeout(timer);
        if (signal) signal.removeEventListener("abort", stop);
      }
      await pause(2000);
    }
  };

  const login = await call("/wechat/login", { return_to: location.href });
  if (login.redirect_url) { // inside WeChat
    location.assign(login.redirect_url);
    return new Promise(() => {});
  }
  let state = "waiting";
  while (["waiting", "scanned", "rejected"].includes(state)) {
    show({ state, picture: new URL(login.qr_url, gate).href, number: login.match_number });
    ({ state } = await call(`${login.state_url}?seen=${state}`, null, Infinity));
  }
  if (state !== "approved") return null; // denied or expired: offer to start again

  // Another person may have scanned the code, so the person here has to see whose account it is.
  const account = await call(login.account_url);
  const yes = account.auto_finish || await new Promise((done) => show({ account, go: () => done(true), deny: () => done(false) }));
  await call(login.finish_url, yes ? {} : { answer: "deny" });
  return yes ? call("/wechat/me") : null;
}

// logOut ends the session.
export const logOut = (gate) => fetch(new URL("/wechat/logout", gate), {
  method: "POST", credentials: "include", headers: { "Content-Type": "application/json" }, body: "{}",
});
