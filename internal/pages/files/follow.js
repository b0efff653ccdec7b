"use strict";
// What the script of the pages and the element scangate-login have in common. Package pages
// puts this file in front of script.js and login.js, and a function around both.
// ES2017, for Chromium 80, Safari 12 and WeChat's X5.

const canFetch = window.fetch && window.AbortController;

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

// ask is request that fails without an answer of the server's own.
const ask = async (url, seconds, options) => {
  const answer = await request(url, seconds, options);
  if (isGateway(answer.status)) throw new Error(answer.statusText);
  return answer;
};

// persist calls attempt until it succeeds, at first when run is called. After a failure, run
// and the network's return end the pause.
const persist = (attempt, setOffline) => {
  let busy = false;
  let failures = 0;
  let timer;
  const run = async () => {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      await attempt();
      if (failures) setOffline(false);
      stop();
    } catch (e) {
      if (run.stopped) return;
      busy = false;
      setOffline(true);
      timer = setTimeout(run, backoff(++failures));
    }
  };
  const online = () => failures && run();
  const stop = () => {
    busy = run.stopped = true;
    clearTimeout(timer);
    removeEventListener("online", online);
  };
  addEventListener("online", online);
  return { run, stop };
};

// Tabs of one login send each other objects with a key, the path of the login.
const keyOf = (url) => url.replace(/[^/]*$/, "");
const openTabs = (hear) => {
  if (window.BroadcastChannel) {
    const channel = new BroadcastChannel("scangate");
    channel.onmessage = (event) => hear(event.data);
    return { tell: (message) => channel.postMessage(message), close: () => channel.close() };
  }
  const listen = (event) => event.key === "scangate" && event.newValue && hear(JSON.parse(event.newValue));
  addEventListener("storage", listen);
  return {
    tell: (message) => {
      try {
        localStorage.setItem("scangate", JSON.stringify(message));
        localStorage.removeItem("scangate");
      } catch (e) { /* storage is full or forbidden: the other tabs ask the server */ }
    },
    close: () => removeEventListener("storage", listen),
  };
};

// drawn returns a picture that the page can take in.
const drawn = (svg) => document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);

const still = matchMedia("(prefers-reduced-motion: reduce)");

// drawCode puts a picture into a place. It lies on the old one while it appears.
const drawCode = (svg, place, label) => {
  const old = Array.from(place.children);
  const picture = drawn(svg);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  place.append(picture);
  setTimeout(() => old.forEach((e) => e.remove()), still.matches ? 0 : 300);
};

// showPart shows the parts of one state, and hides those of the others.
const showPart = (card, name) => {
  card.dataset.state = name;
  for (const part of card.querySelectorAll("[data-show]")) if (part.dataset.show !== "offline") part.hidden = part.dataset.show !== name;
};
const showOffline = (card, offline) => {
  if (offline) card.setAttribute("data-offline", "");
  else card.removeAttribute("data-offline");
  for (const part of card.querySelectorAll("[data-show=offline]")) part.hidden = !offline;
};

// countDown shows the time left for a code in the last 15 seconds.
const countDown = (timer, text, left) => timer.textContent = left > 0 && left <= 15 ? text.replace("{time}", `0:${left < 10 ? "0" : ""}${left}`) : "";

// copyOnClick makes a button copy the content of a field.
const copyOnClick = (button, field, done) => button.onclick = async () => {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch (e) {
    document.execCommand("copy");
  }
  done();
};

// hideBroken hides a picture that does not load: the letter below it stays.
const hideBroken = (picture) => {
  const hide = () => picture.hidden = true;
  picture.onerror = hide;
  if (picture.complete && !picture.naturalWidth) hide();
};

// fetchCode returns a QR code as SVG, or "" for a login without one.
const fetchCode = async (url) => {
  if (!url) return "";
  const answer = await request(url, 10);
  // The code of a mini program is a photo-like picture, which the browser gets once more.
  if (answer.ok && /^image\/(jpeg|png)/.test(answer.headers.get("Content-Type"))) {
    return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1"><image width="1" height="1" xlink:href="${url}"/></svg>`;
  }
  const svg = answer.ok ? await answer.text() : "";
  if (svg.slice(0, 4) !== "<svg") throw new Error("no picture"); // a page of the network's
  return svg;
};

// follow waits for news of a login, and renews its code. The login has the members of the
// JSON routes, and its state. The view shows both:
//
//   isHidden()          reports whether no one can see it: then nothing is asked for
//   show(state)         shows a state
//   setOffline(offline) shows whether the server can be reached
//   useCode(login, svg) shows a new login; svg is "" without a code
//   count(seconds)      shows the time left for the code; 0 hides it
//   kept                whether the code must stay, because its link was copied
//   goOn()              goes on after the approval, or begins anew if the code cannot be renewed
const follow = (login, view) => {
  const maxCodes = 5; // of an unattended page
  let { state } = login;
  let stateUrl = login.state_url;
  let renewUrl = login.renew_url;
  let end = Date.now() + login.expires_in * 1000;
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
  let stopped = false;
  let ticked = Date.now();
  let tickTimer;
  let hearTimer;
  let wake = () => {};
  const pause = (ms) => new Promise((done) => {
    wake = done;
    if (ms) setTimeout(done, ms);
  });
  const drop = () => {
    poll.dropped = true;
    poll.abort();
  };
  const setState = (next) => {
    const changed = state !== next;
    state = next;
    if (changed || !resting) view.show(next);
    return changed;
  };

  const useCode = (next, svg) => {
    view.useCode(next, svg);
    stateUrl = next.state_url;
    renewUrl = next.renew_url;
    end = Date.now() + next.expires_in * 1000;
    view.kept = resting = renewing = owed = false;
    failures = refusals = 0;
    view.setOffline(false);
    setState("waiting");
    tick();
    wake();
  };
  const renew = async () => {
    if (renewing) return;
    const key = keyOf(stateUrl);
    renewing = true;
    tabs.tell({ key, renewing }); // their polls would end: the login does
    drop();
    try {
      const answer = await request(renewUrl, 10, { method: "POST" });
      if (stopped) return;
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) return view.goOn();
      if (!answer.ok) throw new Error(answer.statusText);
      const next = await answer.json();
      // A code and digits to send differ in the words around them.
      if (!next.digits !== !login.digits) return view.goOn();
      const svg = await fetchCode(next.qr_url);
      if (stopped) return;
      tabs.tell({ key, next, svg });
      useCode(next, svg);
    } catch (e) {
      if (stopped) return;
      renewing = false;
      tabs.tell({ key, renewing });
      if (owed) view.setOffline(true);
      retryAt = Date.now() + backoff(++refusals);
      wake();
    }
  };

  const tick = () => {
    clearTimeout(tickTimer);
    const now = Date.now();
    if (now - ticked > 10000) look(); // the computer has slept
    ticked = now;
    const left = Math.max(Math.ceil((end - now) / 1000), 0);
    const counts = state === "waiting" && !view.kept && !resting;
    view.count(counts ? left : 0);
    // A login that went on meanwhile must not be replaced: the poll comes first.
    if (owed || counts && !left && !view.isHidden() && !probe && !failures) {
      if (owed || codes < maxCodes) {
        if (now >= retryAt && !renewing) {
          codes++;
          renew();
        }
      } else {
        resting = true;
        view.show("expired");
      }
    }
    if (!stopped) tickTimer = setTimeout(tick, 1000);
  };
  // look asks for the state at once, on a new connection.
  const look = () => {
    probe = true;
    retryAt = 0;
    drop();
    wake();
  };
  // turn is for a view that was hidden or is seen again. A hidden one only ends its poll.
  const turn = () => {
    codes = 1;
    look();
    if (!view.isHidden()) tick();
  };

  const listeners = [];
  const listen = (target, type, react) => {
    target.addEventListener(type, react);
    listeners.push(() => target.removeEventListener(type, react));
  };
  listen(window, "online", () => {
    look();
    tick();
  });
  listen(window, "offline", () => {
    view.setOffline(true);
    look();
  });
  listen(window, "pageshow", (event) => event.persisted && look());
  listen(document, "visibilitychange", turn);
  for (const sign of ["pointerdown", "pointermove", "keydown"]) listen(window, sign, () => codes = 1);
  const tabs = openTabs((message) => {
    if (message.key !== keyOf(stateUrl)) return;
    if (message.next) return useCode(message.next, message.svg);
    if (message.state === "finished") leaving = true;
    if (message.state) setState(leaving ? "approved" : message.state);
    if ("renewing" in message) {
      renewing = message.renewing;
      clearTimeout(hearTimer);
      hearTimer = setTimeout(() => { // that tab may be gone
        renewing = false;
        wake();
      }, 25000);
    }
    drop();
    wake();
  });

  // askState returns the state, "gone" for a login that the server does not know any more,
  // or "" if the server cannot be reached.
  const askState = async (control) => {
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
  // Not "rejected": the person may prove another number, or answer again.
  const isOver = () => state === "denied" || state === "expired";
  const run = async () => {
    while (!stopped) {
      if (renewing || !leaving && (view.isHidden() || isOver())) {
        await pause();
        continue;
      }
      const control = poll = new AbortController();
      const url = stateUrl;
      const was = state;
      const next = await askState(control);
      if (control.dropped || url !== stateUrl || state !== was) continue; // the answer is of the past
      if (next === "cut") {
        await pause(1000 * Math.random());
      } else if (next === "") {
        if (++failures > 1) view.setOffline(true);
        await pause(backoff(failures));
      } else {
        failures = cuts = 0;
        probe = false;
        view.setOffline(false);
        if (was === "approved") return view.goOn();
        if (setState(next === "gone" ? "expired" : next)) tabs.tell({ key: keyOf(url), state });
        tick();
        if (state === "approved" && !still.matches) await pause(400); // the check mark is drawn
      }
    }
  };
  tick();
  run();
  return {
    turn,
    // renew fetches a new code, as soon as the server can be reached.
    renew: () => {
      owed = true;
      codes = retryAt = 0;
      tick();
    },
    stop: () => {
      stopped = true;
      clearTimeout(tickTimer);
      clearTimeout(hearTimer);
      for (const remove of listeners) remove();
      tabs.close();
      drop();
      wake();
    },
  };
};
