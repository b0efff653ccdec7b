// The script of the pages. follow.js is in front of it.

const find = (selector) => document.querySelector(selector);
const finish = find("form[data-finish], form[action$='/finish']");
const login = find("[data-state-url]");

// Redirects bring the fragment of the page where the login began. It stays in the
// browser: no request contains it. WeChat's own fragment belongs to no page.
if (location.hash === "#wechat_redirect") history.replaceState(null, "", location.pathname + location.search);
const fragment = location.hash;
if (fragment) {
  for (const form of document.querySelectorAll("form[action^='/']")) form.setAttribute("action", form.getAttribute("action") + fragment);
  for (const link of document.querySelectorAll("a[href^='/']:not([href*='#'])")) {
    link.href += fragment;
    link.addEventListener("click", (event) => {
      if (link.href !== location.href) return;
      event.preventDefault(); // the link would only scroll
      location.reload();
    });
  }
}
const go = (to) => {
  const next = new URL(to, location.href);
  if (!next.hash && next.origin === location.origin) next.hash = fragment;
  if (next.href === location.href) location.reload();
  else location.replace(next.href);
};

addEventListener("submit", (event) => setTimeout(() => {
  if (event.defaultPrevented) return;
  for (const button of event.target.elements) if (button.type === "submit") button.disabled = true;
}));
addEventListener("pageshow", (event) => event.persisted && !login && location.reload());

for (const button of document.querySelectorAll("[data-wait]")) {
  const text = button.textContent;
  const end = Date.now() + button.dataset.wait * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${text} (${left})` : text;
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
}

// WeChat's own browser lets a page close itself.
const close = find("[data-close]");
if (close) {
  close.onclick = () => WeixinJSBridge.call("closeWindow");
  const offer = () => close.hidden = false;
  if (window.WeixinJSBridge) offer();
  else document.addEventListener("WeixinJSBridgeReady", offer);
}

for (const picture of document.querySelectorAll(".who img")) hideBroken(picture);

// By script, the form's answer may lead to another origin, which form-action would
// block. The browser leaves the page only after the server has answered.
const sendFinish = () => {
  const url = finish.getAttribute("action").replace(/#.*/, "");
  let pressed = null;
  const note = document.createElement("p");
  note.className = "warning";
  note.setAttribute("role", "status");
  note.hidden = true;
  const main = find("main");
  note.textContent = main && main.dataset.offline || "";
  finish.after(note);

  // Only the server can show why it refuses. A repeated form has the same outcome.
  const submit = () => {
    if (pressed && pressed.name) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = pressed.name;
      field.value = pressed.value;
      finish.append(field);
    }
    finish.submit();
  };
  const tabs = openTabs((message) => message.state === "finished" && message.key === keyOf(url) && go(location.href)); // the server sends the browser on
  const { run } = persist(async () => {
    const body = new URLSearchParams(new FormData(finish));
    if (pressed && pressed.name) body.set(pressed.name, pressed.value);
    const answer = await ask(url, 30, { method: "POST", body });
    const to = answer.status === 200 ? (await answer.json()).return_to : "";
    if (!to) return submit();
    tabs.tell({ key: keyOf(url), state: "finished" });
    go(to);
  }, (offline) => note.hidden = !offline);
  finish.addEventListener("click", (event) => pressed = event.target.closest("button"));
  finish.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  if (finish.closest("[data-auto]")) run();
};
if (finish && canFetch) sendFinish();
else if (finish && finish.closest("[data-auto]")) finish.submit();

// followPage follows the login that the login page shows.
const followPage = (view) => {
  const { stateUrl, renewUrl, loginUrl, renewIn } = login.dataset;
  const timer = find(".timer");
  const icon = find("link[rel=icon]");
  const { title } = document;
  const iconUrl = icon && icon.getAttribute("href");

  const drawIcon = (name) => {
    if (!icon) return;
    const color = getComputedStyle(login).getPropertyValue("--accent").trim();
    const shape = name === "scanned" ? `<circle cx="8" cy="8" r="6" fill="none" stroke="${color}" stroke-width="4"/>`
      : `<circle cx="8" cy="8" r="8" fill="${color}"/><path d="M4 8.5l3 3 5-6" fill="none" stroke="#fff" stroke-width="2"/>`;
    icon.href = name !== "scanned" && name !== "approved" ? iconUrl
      : "data:image/svg+xml," + encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${shape}</svg>`);
  };
  const follower = follow({ state: login.dataset.state, state_url: stateUrl, renew_url: renewUrl, expires_in: renewIn, digits: find(".digits") }, Object.assign(view, {
    isHidden: () => document.hidden,
    show: (name) => {
      if (login.dataset.state === name) return;
      const focused = document.activeElement;
      showPart(login, name);
      // Panels with a button get the focus. If a panel had it, the code's button gets it.
      const way = login.querySelector(`[data-show=${name}] button`) || focused && focused.closest("[data-show][hidden]") && find("#renew button");
      if (way) way.focus({ preventScroll: true });
      document.title = (name === "approved" ? "✓ " : "") + title;
      drawIcon(name);
    },
    setOffline: (offline) => showOffline(login, offline),
    useCode: (next, svg) => {
      const last = login.dataset;
      for (const link of login.querySelectorAll("a")) if (link.href === last.scanUrl) link.href = next.scan_url;
      for (const field of login.querySelectorAll("input")) if (field.value === last.scanUrl) field.value = next.scan_url;
      for (const form of login.querySelectorAll("form")) {
        if (form.getAttribute("action") === last.renewUrl + fragment) form.setAttribute("action", next.renew_url + fragment);
      }
      const number = login.querySelector("[data-number]");
      if (number) number.textContent = next.digits || next.match_number;
      for (const place of svg ? document.querySelectorAll(".qr") : []) {
        const old = place.children[0];
        drawCode(svg, place, old.getAttribute("alt") || old.getAttribute("aria-label"));
      }
      if (copy) copy.textContent = copyText;
      last.stateUrl = next.state_url;
      last.renewUrl = next.renew_url;
      last.scanUrl = next.scan_url;
    },
    count: (left) => timer && countDown(timer, timer.dataset.text, left),
    goOn: () => go(loginUrl),
  }));
  addEventListener("submit", (event) => {
    if (event.target.getAttribute("action") !== login.dataset.renewUrl + fragment) return;
    event.preventDefault();
    follower.renew();
  });
};

// A link that was copied stays good as long as it can.
const view = { kept: false };
const copy = find("[data-copy]");
const copyText = copy && copy.textContent;
if (copy) {
  copyOnClick(copy, find("#link"), () => {
    copy.textContent = copy.dataset.copy;
    view.kept = true;
  });
}
// The page behind a link in a chat shows digits until the person has sent them. Then its
// address has another page. Screen readers read a page again that is loaded again.
const awaitEcho = async () => {
  try {
    const answer = await ask(location.href, 10, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (answer.status !== 200 || !(await answer.text()).includes("data-echo")) return location.reload();
  } catch (e) {
    // The next try may reach the server.
  }
  setTimeout(awaitEcho, 3000);
};
const echo = find("[data-echo]");
if (echo) setTimeout(canFetch ? awaitEcho : () => location.reload(), 3000);

if (login && canFetch) followPage(view);
else if (login) setTimeout(() => location.reload(), 3000);
