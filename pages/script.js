"use strict";
(() => {
  const finish = document.querySelector("form[data-auto]");
  if (finish) {
    // Long enough to read whose account it is.
    setTimeout(() => finish.requestSubmit(), 1200);
    return;
  }

  // A code can be asked for again when this has counted down.
  for (const button of document.querySelectorAll("button[data-wait]")) {
    const text = button.textContent;
    let left = Number(button.dataset.wait);
    const tick = () => {
      button.disabled = left > 0;
      button.textContent = left > 0 ? `${text} (${left})` : text;
      if (left-- > 0) setTimeout(tick, 1000);
    };
    tick();
  }

  const login = document.querySelector("[data-state-url]");
  if (!login) return;
  const { stateUrl, loginUrl, renewIn } = login.dataset;
  let word = login.dataset.word;

  const show = (name) => {
    login.dataset.word = name;
    for (const p of login.querySelectorAll("[data-show]")) p.hidden = p.dataset.show !== name;
  };
  const renew = () => location.replace(loginUrl);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const visible = () => new Promise((done) => {
    const look = () => {
      if (document.visibilityState !== "visible") return;
      document.removeEventListener("visibilitychange", look);
      done();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });

  // An unscanned code is replaced in time, while somebody can see it.
  setTimeout(async () => {
    await visible();
    if (word === "waiting") renew();
  }, renewIn * 1000);

  const follow = async () => {
    for (let failures = 0; ;) {
      try {
        const answer = await fetch(`${stateUrl}?seen=${word}`, { headers: { Accept: "application/json" }, cache: "no-store" });
        if (answer.status === 404 || answer.status === 410) return show("expired");
        if (!answer.ok) throw new Error(answer.statusText);
        word = (await answer.json()).state;
        failures = 0;
      } catch {
        failures++;
        if (failures > 2) show("offline");
        await pause(Math.min(1000 * 2 ** failures, 15000) * (0.5 + Math.random()));
        continue;
      }
      show(word);
      if (word === "approved") return renew();
      if (word === "denied" || word === "expired") return;
    }
  };
  follow();
})();
