// The desktop and the phone of /try. The phone is a frame; its cookies are in the example.
"use strict";

const { base, way } = document.body.dataset;
const form = document.querySelector("#scan");
const phone = document.querySelector("#phone");
const login = document.querySelector("#login");
const site = document.querySelector("#site");
let link = ""; // of WeChat's own page

// call sends a request to the gate and returns the JSON of the answer.
async function call(method, route, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const response = await fetch(base + route, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  return response.status === 204 ? null : response.json();
}

// The element shows a mini program's code as a picture only. The address of the picture has
// the login's ID, as the text of the code does.
let drawn = "";
new PerformanceObserver((list) => {
  for (const { name } of list.getEntries()) {
    const found = name.match(/\/login\/([A-Z2-7]+)\/qr\.svg/);
    if (found) drawn = found[1];
  }
}).observe({ type: "resource", buffered: true });

// code returns the text of the code on the desktop.
function code() {
  if (site) return link;
  if (way === "mini") return drawn && location.origin + base + "/scan/" + drawn;
  const shown = login.shadowRoot && login.shadowRoot.querySelector("a.qr");
  return shown ? shown.href : "";
}

form.addEventListener("submit", (event) => {
  form.elements.code.value = code();
  if (!form.elements.code.value) {
    event.preventDefault(); // the desktop shows no code yet
    return;
  }
  phone.hidden = false;
  form.scrollIntoView({ block: "nearest" }); // in a narrow window the phone is below the desktop
});

// The desktop's code is a link. Here it is the phone at the side that opens it.
if (login) {
  login.addEventListener("click", (event) => {
    if (!event.composedPath().some((part) => part.matches && part.matches("a.qr"))) return;
    event.preventDefault();
    form.requestSubmit();
  });
  login.addEventListener("scangate-finished", async (event) => {
    event.preventDefault();
    showUser(await call("GET", "/me"));
  });
}

// showUser shows the user in place of the login.
function showUser(user) {
  const who = document.querySelector("#who");
  who.textContent = who.dataset.text.replace("{name}", user.nickname || user.id);
  login.hidden = true;
  document.querySelector("#done").hidden = false;
}

document.querySelector("#again").addEventListener("click", async () => {
  await call("POST", "/logout");
  location.reload();
});

// WeChat's own page is in a frame on the desktop. After a person has allowed the login on the
// phone, WeChat leads the desktop back to the gate.
async function openSite() {
  const answer = await call("POST", "/login", { with: "website", return_to: "/try/done/website" });
  link = answer.redirect_url;
  site.src = link;
}
if (site) {
  openSite();
  phone.addEventListener("load", () => {
    const allowed = phone.contentDocument && phone.contentDocument.querySelector("[data-callback]");
    if (allowed) site.src = allowed.dataset.callback;
  });
}
