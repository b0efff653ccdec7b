"use strict";
// ES2017, for Chromium 80, Safari 12 and WeChat's X5.
(() => {
  const find = (selector) => document.querySelector(selector);
  const finish = find("form[data-finish], form[action$='/finish']");
  const login = find("[data-state-url]");
  const canFetch = window.fetch && window.AbortController;

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
    if (!next.hash) next.hash = fragment;
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

  // request is fetch with a limit in seconds, for answers that must not be stored.
  const request = async (url, seconds, options, control = new AbortController()) => {
    const limit = setTimeout(() => control.abort(), seconds * 1000);
    try {
      return await fetch(url, Object.assign({
        headers: { Accept: "application/json" }, cache: "no-store", credentials: "same-origin", signal: control.signal,
      }, options));
    } finally {
      clearTimeout(limit);
    }
  };
  const isGateway = (status) => status === 502 || status === 504; // a proxy's answer, not the server's
  const backoff = (failures) => Math.min(1000 * Math.pow(2, failures), 15000) * (0.5 + Math.random());

  // Tabs of one login send each other objects with a key, the path of the login.
  const keyOf = (url) => url.replace(/[^/]*$/, "");
  let hear = () => {};
  let tell;
  if (window.BroadcastChannel) {
    const channel = new BroadcastChannel("scangate");
    channel.onmessage = (event) => hear(event.data);
    tell = (message) => channel.postMessage(message);
  } else {
    addEventListener("storage", (event) => event.key === "scangate" && event.newValue && hear(JSON.parse(event.newValue)));
    tell = (message) => {
      try {
        localStorage.setItem("scangate", JSON.stringify(message));
        localStorage.removeItem("scangate");
      } catch (e) { /* storage is full or forbidden: the other tabs ask the server */ }
    };
  }

  // By script, the form's answer may lead to another origin, which form-action would
  // block. The browser leaves the page only after the server has answered.
  const sendFinish = () => {
    const url = finish.getAttribute("action").replace(/#.*/, "");
    let pressed = null;
    let failures = 0;
    let sending = false;
    let timer;
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
    const send = async () => {
      if (sending) return;
      sending = true;
      clearTimeout(timer);
      const body = new URLSearchParams(new FormData(finish));
      if (pressed && pressed.name) body.set(pressed.name, pressed.value);
      try {
        const answer = await request(url, 30, { method: "POST", body });
        if (isGateway(answer.status)) throw new Error(answer.statusText);
        const to = answer.status === 200 ? (await answer.json()).return_to : "";
        if (!to) return submit();
        tell({ key: keyOf(url), state: "finished" });
        go(to);
      } catch (e) {
        sending = false;
        note.hidden = false;
        timer = setTimeout(send, backoff(++failures));
      }
    };
    addEventListener("online", () => note.hidden || send());
    hear = (message) => message.state === "finished" && message.key === keyOf(url) && go(location.href); // the server sends the browser on
    finish.addEventListener("click", (event) => pressed = event.target.closest("button"));
    finish.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    if (finish.closest("[data-auto]")) send();
  };
  if (finish && canFetch) sendFinish();
  else if (finish && finish.closest("[data-auto]")) finish.submit();

  // A link that was copied stays good as long as it can.
  let kept = false;
  const copy = find("[data-copy]");
  const copyText = copy && copy.textContent;
  if (copy) {
    copy.onclick = async () => {
      const link = find("#link");
      link.select();
      try {
        await navigator.clipboard.writeText(link.value);
      } catch (e) {
        document.execCommand("copy");
      }
      copy.textContent = copy.dataset.copy;
      kept = true;
    };
  }

  if (!login) return;
  if (!canFetch) {
    setTimeout(() => location.reload(), 3000);
    return;
  }
  const { loginUrl } = login.dataset;
  let { stateUrl, renewUrl, state } = login.dataset;
  const timer = find(".timer");
  const icon = find("link[rel=icon]");
  const { title } = document;
  const iconUrl = icon && icon.getAttribute("href");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const maxCodes = 5; // of an unattended page
  let end = Date.now() + login.dataset.renewIn * 1000;
  let wait = 25; // seconds that a poll may take
  let poll = new AbortController();
  let probe = false; // ask for the state at once: the connection or the page was away
  let failures = 0;
  let cuts = 0; // polls in a row that a proxy has ended
  let codes = 1;
  let resting = false; // no new code until a tap
  let renewing = false; // this tab or another one asks for a new code
  let owed = false; // a tap asked for a new code that could not be fetched yet
  let refusals = 0; // of new codes, in a row
  let retryAt = 0; // when to ask for a new code again
  let leaving = false; // another tab has finished the login
  let wake = () => {};
  const pause = (ms) => new Promise((done) => {
    wake = done;
    if (ms) setTimeout(done, ms);
  });

  const drop = () => {
    poll.dropped = true;
    poll.abort();
  };

  const drawIcon = (name) => {
    if (!icon) return;
    const color = getComputedStyle(login).getPropertyValue("--accent").trim();
    const shape = name === "scanned" ? `<circle cx="8" cy="8" r="6" fill="none" stroke="${color}" stroke-width="4"/>`
      : `<circle cx="8" cy="8" r="8" fill="${color}"/><path d="M4 8.5l3 3 5-6" fill="none" stroke="#fff" stroke-width="2"/>`;
    icon.href = name !== "scanned" && name !== "approved" ? iconUrl
      : "data:image/svg+xml," + encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${shape}</svg>`);
  };
  const show = (name) => {
    if (login.dataset.state === name) return;
    login.dataset.state = name;
    const focused = document.activeElement;
    for (const part of login.querySelectorAll("[data-show]")) if (part.dataset.show !== "offline") part.hidden = part.dataset.show !== name;
    // Panels with a button get the focus. If a panel had it, the code's button gets it.
    const way = login.querySelector(`[data-show=${name}] button`) || focused && focused.closest("[data-show][hidden]") && find("#renew button");
    if (way) way.focus({ preventScroll: true });
    document.title = (name === "approved" ? "✓ " : "") + title;
    drawIcon(name);
  };
  const setOffline = (offline) => {
    if (offline) login.setAttribute("data-offline", "");
    else login.removeAttribute("data-offline");
    for (const part of login.querySelectorAll("[data-show=offline]")) part.hidden = !offline;
  };
  const setState = (next) => {
    const changed = state !== next;
    state = next;
    if (changed || !resting) show(next);
    return changed;
  };

  // The new picture lies on the old one while it appears.
  const drawCode = (svg) => {
    const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    for (const place of document.querySelectorAll(".qr")) {
      const old = Array.from(place.children);
      const picture = document.importNode(drawn, true);
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", old[0].getAttribute("alt") || old[0].getAttribute("aria-label"));
      place.append(picture);
      setTimeout(() => old.forEach((e) => e.remove()), still.matches ? 0 : 300);
    }
  };
  const useCode = (next, svg) => {
    const { scanUrl } = login.dataset;
    for (const link of login.querySelectorAll("a")) if (link.href === scanUrl) link.href = next.scan_url;
    for (const field of login.querySelectorAll("input")) if (field.value === scanUrl) field.value = next.scan_url;
    for (const form of login.querySelectorAll("form")) {
      if (form.getAttribute("action") === renewUrl + fragment) form.setAttribute("action", next.renew_url + fragment);
    }
    const number = login.querySelector("[data-number]");
    if (number) number.textContent = next.digits || next.match_number;
    if (svg) drawCode(svg);
    if (copy) copy.textContent = copyText;
    stateUrl = login.dataset.stateUrl = next.state_url;
    renewUrl = login.dataset.renewUrl = next.renew_url;
    login.dataset.scanUrl = next.scan_url;
    end = Date.now() + next.expires_in * 1000;
    kept = resting = renewing = owed = false;
    failures = refusals = 0;
    setOffline(false);
    setState("waiting");
    tick();
    wake();
  };
  const renew = async () => {
    if (renewing) return;
    const key = keyOf(stateUrl);
    renewing = true;
    tell({ key, renewing }); // their polls would end: the login does
    drop();
    try {
      const answer = await request(renewUrl, 10, { method: "POST" });
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) return go(loginUrl);
      if (!answer.ok) throw new Error(answer.statusText);
      const next = await answer.json();
      // The page of a code and the page of digits differ in their words.
      if (!next.digits !== !find(".digits")) return go(loginUrl);
      const picture = next.qr_url && await request(next.qr_url, 10);
      if (picture && !picture.ok) throw new Error(picture.statusText);
      const svg = picture ? await picture.text() : "";
      if (picture && svg.slice(0, 4) !== "<svg") throw new Error("no picture"); // a page of the network's
      tell({ key, next, svg });
      useCode(next, svg);
    } catch (e) {
      renewing = false;
      tell({ key, renewing });
      if (owed) setOffline(true);
      retryAt = Date.now() + backoff(++refusals);
      wake();
    }
  };

  const tick = () => {
    clearTimeout(tick.timer);
    const now = Date.now();
    if (now - tick.last > 10000) look(); // the computer has slept
    tick.last = now;
    const left = Math.max(Math.ceil((end - now) / 1000), 0);
    const counts = state === "waiting" && !kept && !resting;
    if (timer) timer.textContent = counts && left > 0 && left <= 15 ? timer.dataset.text.replace("{time}", `0:${left < 10 ? "0" : ""}${left}`) : "";
    // A login that went on meanwhile must not be replaced: the poll comes first.
    if (owed || counts && !left && !document.hidden && !probe && !failures) {
      if (owed || codes < maxCodes) {
        if (now >= retryAt && !renewing) {
          codes++;
          renew();
        }
      } else {
        resting = true;
        show("expired");
      }
    }
    tick.timer = setTimeout(tick, 1000);
  };
  // look asks for the state at once, on a new connection.
  const look = () => {
    probe = true;
    retryAt = 0;
    drop();
    wake();
  };
  addEventListener("online", () => {
    look();
    tick();
  });
  addEventListener("offline", () => {
    setOffline(true);
    look();
  });
  addEventListener("pageshow", (event) => event.persisted && look());
  document.addEventListener("visibilitychange", () => {
    codes = 1;
    look(); // a hidden page only ends its poll
    if (!document.hidden) tick();
  });
  for (const sign of ["pointerdown", "pointermove", "keydown"]) addEventListener(sign, () => codes = 1);
  addEventListener("submit", (event) => {
    if (event.target.getAttribute("action") !== renewUrl + fragment) return;
    event.preventDefault();
    owed = true;
    codes = retryAt = 0;
    tick();
  });
  hear = (message) => {
    if (message.key !== keyOf(stateUrl)) return;
    if (message.next) return useCode(message.next, message.svg);
    if (message.state === "finished") leaving = true;
    if (message.state) setState(leaving ? "approved" : message.state);
    if ("renewing" in message) {
      renewing = message.renewing;
      clearTimeout(hear.timer);
      hear.timer = setTimeout(() => { // that tab may be gone
        renewing = false;
        wake();
      }, 25000);
    }
    drop();
    wake();
  };

  // ask returns the state, "gone" for a login that the server does not know any more, or
  // "" if the server cannot be reached.
  const ask = async (control) => {
    const begun = Date.now();
    const now = probe || failures > 0 || state === "approved";
    let answer;
    try {
      answer = await request(`${stateUrl}?wait=${wait}&seen=${now ? "" : state}`, now ? 5 : wait + 5, {}, control);
      if (answer.status === 404 || answer.status === 410) return "gone";
      if (answer.ok) return (await answer.json()).state;
    } catch (e) {
      return "";
    }
    const took = Date.now() - begun;
    if (isGateway(answer.status) && !now && took >= 1500 && took < wait * 1000) {
      // One poll ends like this when a process of the server stops. After several, a
      // proxy does not wait as long.
      if (++cuts > 1) wait = Math.max(Math.floor(took / 1000) - 1, 1);
      return "cut";
    }
    return "";
  };
  const isOver = () => state === "denied" || state === "expired" || state === "rejected";
  const follow = async () => {
    for (;;) {
      if (renewing || !leaving && (document.hidden || isOver())) {
        await pause();
        continue;
      }
      const control = poll = new AbortController();
      const url = stateUrl;
      const was = state;
      const next = await ask(control);
      if (control.dropped || url !== stateUrl || state !== was) continue; // the answer is of the past
      if (next === "cut") {
        await pause(1000 * Math.random());
      } else if (next === "") {
        if (++failures > 1) setOffline(true);
        await pause(backoff(failures));
      } else {
        failures = cuts = 0;
        probe = false;
        setOffline(false);
        if (was === "approved") return go(loginUrl);
        if (setState(next === "gone" ? "expired" : next)) tell({ key: keyOf(url), state });
        tick();
        if (state === "approved" && !still.matches) await pause(400); // the check mark is drawn
      }
    }
  };
  tick.last = Date.now();
  tick();
  follow();
})();

// A picture that does not load leaves the letter below it.
for (const picture of document.querySelectorAll(".who img")) {
  const hide = () => picture.hidden = true;
  picture.onerror = hide;
  if (picture.complete && !picture.naturalWidth) hide();
}
