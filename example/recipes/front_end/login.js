// Logs a person in from a page of another origin, which Config.TrustedOrigins lists.
// gate is the gate's origin, such as "https://app.example.com".
//
// show is called with what the page has to show:
//   { state, picture, number }  the QR code for an <img>, and the number to compare
//   { account, go, deny }       whose account it is; go() logs in, deny() refuses
// It resolves to the user once they are logged in, and to null if they are not.
export async function logIn(gate, show) {
  const call = async (path, body) => {
    const answer = await fetch(new URL(path, gate), {
      credentials: "include",
      cache: "no-store",
      signal: AbortSignal.timeout(40000), // the gate answers within 25 seconds
      // JSON even without a body: the gate refuses anything that a form could send.
      ...(body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
    const result = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) throw Object.assign(new Error(result.detail), { code: result.code });
    return result;
  };

  const login = await call("/wechat/login", { return_to: location.href });
  if (login.redirect_url) { // inside WeChat
    location.assign(login.redirect_url);
    return new Promise(() => {});
  }
  let state = "waiting";
  while (state === "waiting" || state === "scanned") {
    show({ state, picture: new URL(login.qr_url, gate).href, number: login.match_number });
    try {
      ({ state } = await call(`${login.state_url}?seen=${state}`));
    } catch (error) {
      if (typeof error.code === "string") throw error; // the answer is the gate's own
      await new Promise((done) => setTimeout(done, 2000)); // the network is away, or a proxy has ended the request
    }
  }
  if (state !== "approved") return null; // denied, rejected or expired: offer to start again

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
