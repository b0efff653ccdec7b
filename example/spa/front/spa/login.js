// The application's own part of a login without leaving the page. The gate's element
// scangate-login does the rest.
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

$("#open").addEventListener("click", () => {
  showWay(false);
  dialog.showModal();
});
// Without preventDefault, the element would load the page at return-to.
$("scangate-login").addEventListener("scangate-finished", async (event) => {
  event.preventDefault();
  await showAccount();
  dialog.close();
});
dialog.addEventListener("close", stop);
$("#by-scan").addEventListener("click", () => showWay(false));
$("#by-website").addEventListener("click", start);
for (const again of dialog.querySelectorAll("[data-again]")) again.addEventListener("click", start);

// showWay shows the gate's code or WeChat's. The element rests while it is hidden.
function showWay(byWebsite) {
  stop();
  $("scangate-login").hidden = byWebsite;
  $("#website").hidden = !byWebsite;
  $("#by-scan").setAttribute("aria-pressed", !byWebsite);
  $("#by-website").setAttribute("aria-pressed", byWebsite);
}

// --- WeChat's QR code, in a frame ---

let running = new AbortController(); // aborts the login in the frame

// stop aborts the login in the frame, and removes the frame.
function stop() {
  running.abort();
  $("#frame").replaceChildren();
}

// show shows one paragraph of the status and hides the others.
function show(name, code = "") {
  for (const p of $("#status").children) p.hidden = p.dataset.show !== name;
  $("[data-show=failed] code").textContent = code;
}

// start starts a login in the frame.
async function start() {
  showWay(true);
  running = new AbortController();
  const { signal } = running;
  show("starting");
  try {
    await website(signal);
    await showAccount();
    dialog.close();
  } catch (err) {
    // An aborted login shows nothing: the dialog is closed, or shows the other code.
    if (!signal.aborted) show(err.code === "cancelled" ? "denied" : "failed", err.code ?? "network");
  }
}

// leave opens another page. Its promise never resolves, so that the caller does
// nothing more while the browser loads that page.
function leave(url) {
  location.assign(url);
  return new Promise(() => {});
}

// website shows WeChat's page in a frame. It requires a website application of the
// Open Platform.
async function website(signal) {
  const { redirect_url } = await call("POST", "/wechat/login", { body: { return_to: page, with: "website" }, signal });
  if (!redirect_url) throw Object.assign(new Error("no website application"), { code: "no_website" });
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
  if (new URL(response.url).pathname !== page) await leave(response.url);
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
