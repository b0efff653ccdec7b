// A login without leaving the page, through the gate's JSON routes.
"use strict";

const $ = (selector) => document.querySelector(selector);
const dialog = $("#login");
// The gate returns to this page if the login has to leave it after all.
const page = location.pathname;

// call sends a request and returns the JSON of the answer. If the gate refuses the
// request, call throws an error with the status and with the problem's code.
async function call(method, url, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(url, { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" });
  const type = response.headers.get("Content-Type") ?? "";
  // Not all answers are JSON: status 204 has no body, and a proxy's error is HTML.
  const json = type.includes("json") ? await response.json() : null;
  if (!response.ok || type.includes("problem+json")) {
    throw Object.assign(new Error(response.statusText), { status: response.status, code: json?.code ?? response.status });
  }
  return json;
}

// --- the page: logged in or not ---

// showAccount asks the API for the user, and shows the name or the login button.
async function showAccount() {
  let account = null;
  try {
    account = await call("GET", "/api/account");
  } catch (err) {
    // 401 means "not logged in". After any other error the state is unknown, so the
    // page stays as it is.
    if (err.status !== 401) throw err;
  }
  $("#name").textContent = account?.name ?? "";
  $("#member").hidden = !account;
  $("#stranger").hidden = Boolean(account);
}

$("#logout").addEventListener("click", async () => {
  await call("POST", "/wechat/logout");
  await showAccount();
});

// --- the dialog ---

let method = scan; // scan or website: the method that "Try again" uses
let running = new AbortController(); // aborts the current login when the dialog closes

// show shows one paragraph of the dialog's status and hides the others.
function show(name, code = "") {
  for (const p of dialog.querySelectorAll("[data-show]")) p.hidden = p.dataset.show !== name;
  // A stale QR code must not be scanned: style.css fades it.
  dialog.classList.toggle("stale", ["starting", "denied", "rejected", "expired", "failed"].includes(name));
  $("[data-show=failed] code").textContent = code;
}

// start aborts the current login and starts another one, by scan or by website.
async function start(by) {
  stop();
  running = new AbortController();
  const { signal } = running;
  method = by;
  $("#scan").hidden = by !== scan;
  $("#frame").hidden = by !== website;
  $("#by-scan").setAttribute("aria-pressed", by === scan);
  $("#by-website").setAttribute("aria-pressed", by === website);
  show("starting");
  try {
    const outcome = await by(signal);
    if (outcome !== "finished") return show(outcome);
    await showAccount();
    dialog.close();
  } catch (err) {
    // An aborted login shows nothing: the dialog is closed, or shows the next login.
    if (!signal.aborted) show(outcomes[err.code] ?? "failed", err.code ?? "network");
  }
}

// outcomes maps problem codes to paragraphs. The other codes appear in "failed".
const outcomes = { cancelled: "denied", denied: "denied", expired: "expired", unknown: "expired" };

// stop aborts the current login and removes WeChat's frame.
function stop() {
  running.abort();
  $("#frame").replaceChildren();
}

$("#open").addEventListener("click", () => {
  dialog.showModal();
  start(scan);
});
dialog.addEventListener("close", stop);
$("#copy").addEventListener("click", () => navigator.clipboard.writeText($(".qr").href));
$("#by-scan").addEventListener("click", () => start(scan));
$("#by-website").addEventListener("click", () => start(website));
for (const again of dialog.querySelectorAll("[data-again]")) again.addEventListener("click", () => start(method));

// leave opens another page. Its promise never resolves, so that the caller does
// nothing more while the browser loads that page.
function leave(url) {
  location.assign(url);
  return new Promise(() => {});
}

// --- the gate's QR code ---

// scan shows the gate's QR code. It returns "finished", or the paragraph to show. When
// a code is due for renewal, the loop starts a new login.
async function scan(signal) {
  for (;;) {
    const login = await call("POST", "/wechat/login", { body: { return_to: page }, signal });
    // There is no code to show if this is WeChat's browser, or if the gate has a
    // website application only.
    if (login.redirect_url) return leave(login.redirect_url);
    $(".qr").href = login.scan_url;
    $(".qr img").src = login.qr_url;
    $("#number b").textContent = login.match_number;
    $("#ways").hidden = !login.website_url;
    show("waiting");
    const state = await poll(login, signal);
    if (state === "approved") {
      show("approved");
      // The approval alone creates no session. This request sets the cookie.
      await call("POST", login.finish_url, { signal });
      return "finished";
    }
    if (state !== "waiting") return state;
  }
}

// poll waits for the phone. It returns "approved", "denied", "rejected" or "expired", or
// "waiting" when it is time for a new QR code.
async function poll(login, signal) {
  let state = "waiting";
  for (let failures = 0; ;) {
    try {
      // The gate answers when the state differs from this one, or after 25 seconds.
      ({ state } = await call("GET", `${login.state_url}?seen=${state}`, { signal }));
      failures = 0;
    } catch (err) {
      if (signal.aborted) throw err;
      // The gate no longer has the login, or the login belongs to another browser.
      if (err.status === 404 || err.status === 410) return "expired";
      // One failure can be a proxy that restarts: retry before showing it.
      if (++failures > 1) show("offline");
      // From 1 s up to 15 s, times 0.5 to 1.5. The random factor spreads the
      // browsers, so that they do not all return at once after an outage.
      await pause(Math.min(500 * 2 ** failures, 15000) * (0.5 + Math.random()), signal);
      continue;
    }
    if (state !== "waiting" && state !== "scanned") return state;
    show(state);
    if (state === "waiting" && Date.now() > Date.parse(login.expires_at)) {
      // Do not renew the code in a background tab. Otherwise a forgotten tab would
      // start logins for days.
      return document.visibilityState === "visible" ? state : "expired";
    }
  }
}

// pause waits for ms milliseconds. It returns early when the network is back, and
// throws when the login is aborted.
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// --- WeChat's QR code, in a frame ---

// website shows WeChat's page in a frame. It requires a website application of the
// Open Platform. It returns "finished" after the login.
async function website(signal) {
  const { redirect_url } = await call("POST", "/wechat/login", { body: { return_to: page, with: "website" }, signal });
  const url = new URL(redirect_url);
  const callback = url.searchParams.get("redirect_uri");
  // WeChat sends the frame back with a code. The frame must not load the gate's
  // callback: a navigation from another site in a frame carries no SameSite cookies,
  // so the gate could not recognize the browser, and the gate's pages forbid framing.
  // Instead the frame loads an empty page, and this script sends the code to the
  // callback. WeChat allows that, because it checks only the host of redirect_uri.
  url.searchParams.set("redirect_uri", new URL("landed.html", location.href));
  url.searchParams.append("login_type", "jssdk");
  url.searchParams.append("self_redirect", "true");
  show("website");
  const query = await showFrame(url, signal);
  const response = await fetch(callback + query, { headers: { Accept: "application/json" }, signal });
  if (response.headers.get("Content-Type")?.includes("problem+json")) throw await response.json();
  // fetch has followed the gate's redirect. It leads to return_to, or to a page with
  // another step for the user, such as entering a phone number.
  return new URL(response.url).pathname === page ? "finished" : leave(response.url);
}

// showFrame shows WeChat's page in a frame. It returns the query of the address that
// WeChat redirects the frame to.
function showFrame(url, signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    const frame = document.createElement("iframe");
    frame.title = "WeChat";
    // The page looks for WeChat on this computer, to offer a login without a scan.
    frame.allow = "local-network-access";
    frame.src = url;
    frame.addEventListener("load", () => {
      try {
        const { search } = frame.contentWindow.location;
        if (!search) return; // about:blank, before WeChat's page
        frame.remove();
        resolve(search);
      } catch {
        // The frame still shows WeChat's page. Reading the address of another site
        // throws a SecurityError.
      }
    });
    $("#frame").replaceChildren(frame);
  });
}

showAccount();
