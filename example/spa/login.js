// Logging in without leaving the page, by the gate's JSON routes.
"use strict";

const $ = (selector) => document.querySelector(selector);
const dialog = $("#login");
const page = location.pathname; // where a login returns to that has to leave the page after all

// call makes a request and returns its JSON. What the gate refuses is an error
// with the problem's code.
async function call(method, url, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" });
  const type = answer.headers.get("Content-Type") ?? "";
  const json = type.includes("json") ? await answer.json() : null;
  if (!answer.ok || type.includes("problem+json")) {
    throw Object.assign(new Error(answer.statusText), { status: answer.status, code: json?.code ?? answer.status });
  }
  return json;
}

// --- the page: somebody's, or nobody's ---

async function showAccount() {
  let account = null;
  try {
    account = await call("GET", "/api/account");
  } catch (err) {
    if (err.status !== 401) throw err; // it is unknown who is logged in: leave the page as it is
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

let way = scan; // how the person logs in: scan or website
let running = new AbortController(); // what the dialog is doing; closing it ends that

function show(name, code = "") {
  for (const p of dialog.querySelectorAll("[data-show]")) p.hidden = p.dataset.show !== name;
  dialog.classList.toggle("stale", ["starting", "denied", "expired", "failed"].includes(name));
  $("[data-show=failed] code").textContent = code;
}

// start begins to log in, by one way or the other, in place of what was going on.
async function start(by) {
  stop();
  running = new AbortController();
  const { signal } = running;
  way = by;
  $("#scan").hidden = by !== scan;
  $("#frame").hidden = by !== website;
  $("#by-scan").setAttribute("aria-pressed", by === scan);
  $("#by-website").setAttribute("aria-pressed", by === website);
  show("starting");
  try {
    const ending = await by(signal);
    if (ending !== "in") return show(ending);
    await showAccount();
    dialog.close();
  } catch (err) {
    if (!signal.aborted) show(endings[err.code] ?? "failed", err.code ?? "network");
  }
}

// What some of the gate's problems mean here.
const endings = { cancelled: "denied", denied: "denied", expired: "expired", unknown: "expired" };

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
for (const again of dialog.querySelectorAll("[data-again]")) again.addEventListener("click", () => start(way));

// leave goes on outside of the page, and never returns.
function leave(url) {
  location.assign(url);
  return new Promise(() => {});
}

// --- our own QR code ---

async function scan(signal) {
  for (;;) {
    const login = await call("POST", "/wechat/login", { body: { return_to: page }, signal });
    if (login.redirect_url) return leave(login.redirect_url); // this is WeChat's browser, or there is WeChat's page only
    $(".qr").href = login.scan_url;
    $(".qr img").src = login.qr_url;
    $("#number b").textContent = login.match_number;
    $("#ways").hidden = !login.website_url;
    show("waiting");
    const state = await follow(login, signal);
    if (state === "approved") {
      show("approved");
      await call("POST", login.finish_url, { signal });
      return "in";
    }
    if (state !== "waiting") return state;
  }
}

// follow waits for the phone, and returns "approved", "denied" or "expired"; or
// "waiting" when it is time for a new code.
async function follow(login, signal) {
  let state = "waiting";
  for (let failures = 0; ;) {
    try {
      // It is answered when the state is no longer this one, after 25 s at the latest.
      ({ state } = await call("GET", `${login.state_url}?seen=${state}`, { signal }));
      failures = 0;
    } catch (err) {
      if (signal.aborted) throw err;
      if (err.status === 404 || err.status === 410) return "expired";
      if (++failures > 1) show("offline");
      await pause(Math.min(500 * 2 ** failures, 15000) * (0.5 + Math.random()), signal);
      continue;
    }
    if (state !== "waiting" && state !== "scanned") return state;
    show(state);
    if (state === "waiting" && Date.now() > Date.parse(login.expires_at)) {
      return document.visibilityState === "visible" ? state : "expired";
    }
  }
}

// pause ends early when the network is back, and fails when the dialog is closed.
function pause(ms, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, ms);
    addEventListener("online", done, { once: true, signal });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(signal.reason);
    }, { once: true });
  });
}

// --- WeChat's own QR code, in a frame ---

// website shows WeChat's page in a frame, for which the application needs to be
// a website application of WeChat's Open Platform. WeChat sends the frame back
// with a code. It must not be sent to the gate: a frame that comes from another
// site brings no SameSite cookies, by which the gate knows the browser, and the
// gate's pages are not to be framed. So the frame is sent to an empty page of
// ours instead, and this script takes the code from its address to the gate.
async function website(signal) {
  const { redirect_url } = await call("POST", "/wechat/login", { body: { return_to: page, with: "website" }, signal });
  const url = new URL(redirect_url);
  const callback = url.searchParams.get("redirect_uri");
  url.searchParams.set("redirect_uri", new URL("landed.html", location.href)); // the same host, which is what WeChat checks
  url.searchParams.append("login_type", "jssdk");
  url.searchParams.append("self_redirect", "true");
  show("website");
  const answer = await fetch(callback + await framed(url, signal), { headers: { Accept: "application/json" }, signal });
  if (answer.headers.get("Content-Type")?.includes("problem+json")) throw await answer.json();
  // The gate has sent us on to where it returns to, or to a page that asks the
  // person for something, such as their phone number.
  return new URL(answer.url).pathname === page ? "in" : leave(answer.url);
}

// framed shows a page of WeChat's and returns the query that it comes back with.
function framed(url, signal) {
  return new Promise((done, failed) => {
    signal.addEventListener("abort", () => failed(signal.reason), { once: true });
    const frame = document.createElement("iframe");
    frame.title = "WeChat";
    frame.allow = "local-network-access"; // by which WeChat on this computer offers to log in without a scan
    frame.src = url;
    frame.addEventListener("load", () => {
      try {
        const { search } = frame.contentWindow.location;
        if (!search) return; // the frame's beginning
        frame.remove();
        done(search);
      } catch {
        // It is WeChat's page still, whose address is none of our business.
      }
    });
    $("#frame").replaceChildren(frame);
  });
}

showAccount();
