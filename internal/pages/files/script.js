"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);

  // Redirects bring the fragment of the page where the login began. It stays in the
  // browser: no request contains it. WeChat's own fragment belongs to no page.
  if (location.hash === "#wechat_redirect") history.replaceState(null, "", location.pathname + location.search);
  const fragment = location.hash;
  const isHere = (url) => fragment && url === location.href;
  if (fragment) {
    for (const form of document.querySelectorAll("form[action^='/']")) form.setAttribute("action", form.getAttribute("action") + fragment);
    for (const link of document.querySelectorAll("a[href^='/']:not([href*='#'])")) {
      link.href += fragment;
      link.addEventListener("click", (event) => {
        if (!isHere(link.href)) return;
        event.preventDefault(); // the link would only scroll
        location.reload();
      });
    }
  }

  addEventListener("submit", (event) => setTimeout(() => {
    for (const button of event.target.elements) if (button.type === "submit") button.disabled = true;
  }));
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  // Long enough to read whose account it is. Who does anything gets more time.
  const auto = find("[data-auto]");
  if (auto) {
    const timer = setTimeout(() => auto.submit(), 2000);
    for (const sign of ["pointerdown", "keydown"]) {
      addEventListener(sign, () => {
        clearTimeout(timer);
        auto.removeAttribute("data-auto");
      });
    }
  }

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

  // A link that was copied stays good as long as it can.
  let kept = false;
  const copy = find("[data-copy]");
  if (copy) {
    copy.onclick = async () => {
      const link = find("#link");
      link.select();
      try {
        await navigator.clipboard.writeText(link.value);
      } catch {
        document.execCommand("copy");
      }
      copy.textContent = copy.dataset.copy;
      kept = true;
    };
  }

  const login = find("[data-state-url]");
  if (!login) return;
  const { stateUrl, loginUrl, renewIn } = login.dataset;
  const timer = find(".timer");
  const end = Date.now() + renewIn * 1000;
  let state = login.dataset.state;
  let poll;

  const renew = () => {
    const next = new URL(loginUrl + fragment, location.href).href;
    if (isHere(next)) location.reload();
    else location.replace(next);
  };
  const show = (name) => {
    if (login.dataset.state === name) return;
    login.dataset.state = name;
    for (const part of login.querySelectorAll("[data-show]")) part.hidden = part.dataset.show !== name;
    const way = login.querySelector(`[data-show=${name}] button`);
    if (way) way.focus({ preventScroll: true });
  };

  // An unscanned code is replaced in time, while somebody can see it.
  const tick = () => {
    const left = Math.max(Math.ceil((end - Date.now()) / 1000), 0);
    const time = new Date(left * 1000).toISOString().slice(15, 19);
    if (timer) timer.textContent = kept ? "" : timer.dataset.text.replace("{time}", time);
    if (!left && !kept && !document.hidden && login.dataset.state === "waiting") return renew();
    setTimeout(tick, 1000);
  };
  tick();

  // Who comes back to the page is not kept waiting for a connection that died.
  document.addEventListener("visibilitychange", () => document.hidden || poll.abort());
  const follow = async () => {
    for (let failures = 0; ;) {
      poll = new AbortController();
      const limit = setTimeout(() => poll.abort(), 40000);
      try {
        const answer = await fetch(`${stateUrl}?seen=${state}`, { headers: { Accept: "application/json" }, cache: "no-store", signal: poll.signal });
        if (answer.status === 404 || answer.status === 410) return show("expired");
        if (!answer.ok) throw new Error(answer.statusText);
        state = (await answer.json()).state;
        failures = 0;
      } catch {
        if (poll.signal.aborted) continue;
        if (++failures > 1) show("offline");
        await new Promise((done) => setTimeout(done, Math.min(1000 * 2 ** failures, 15000) * (0.5 + Math.random())));
        continue;
      } finally {
        clearTimeout(limit);
      }
      show(state);
      if (state === "approved") return renew();
      if (state === "denied" || state === "expired" || state === "rejected") return;
    }
  };
  follow();
})();

// A picture that does not load leaves the letter below it.
for (const picture of document.querySelectorAll(".who img")) {
  const hide = () => picture.hidden = true;
  picture.onerror = hide;
  if (picture.complete && !picture.naturalWidth) hide();
}
