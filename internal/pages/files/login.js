// The element scangate-login: the login page's card in a page of the application. follow.js
// is in front of it, and package pages puts the gate's paths in the place of SCANGATE.

const { base, style } = SCANGATE;

// make returns an element. An attribute of false is left out.
const make = (name, attributes, children) => {
  const element = document.createElement(name);
  for (const key of Object.keys(attributes)) {
    if (attributes[key] !== false) element.setAttribute(key, attributes[key]);
  }
  for (const child of children || []) if (child) element.append(child);
  return element;
};

// createCard gives an element its card. The card begins a login when it can be seen.
const createCard = (host) => {
  const root = host.attachShadow({ mode: "open" });
  const sheet = make("link", { rel: "stylesheet", href: style });
  const card = make("div", { role: "group", "aria-labelledby": "heading", hidden: "" });
  sheet.onload = sheet.onerror = () => card.hidden = false;
  root.append(sheet, card);

  let settings; // the texts, and whether this is a phone
  let current; // the login, as the JSON routes describe it
  let codeEnds = 0;
  let step = null; // what goes on now
  let stale = false; // begin anew when the card is seen again
  let visible = false;
  let changes;
  const find = (selector) => card.querySelector(selector);
  const text = (key) => host.hasAttribute("link") && settings.texts[key + ".link"] || settings.texts[key] || "";
  const fire = (name, detail, cancelable) => host.dispatchEvent(new CustomEvent("scangate-" + name, { bubbles: true, composed: true, cancelable, detail }));
  const returnTo = () => host.getAttribute("return-to") || location.pathname + location.search + location.hash;
  const setOffline = (offline) => showOffline(card, offline);
  const halt = () => {
    if (step) step.stop();
    step = null;
  };

  // focus gives a button the focus, unless the person types into a field elsewhere.
  const focus = (button) => {
    let held = document.activeElement;
    while (held && held !== host && held.shadowRoot && held.shadowRoot.activeElement) held = held.shadowRoot.activeElement;
    if (!held || held.isContentEditable || held.matches("input, textarea, select, iframe")) return;
    button.focus({ preventScroll: true });
  };
  const button = (label, react, kind, more) => {
    const made = make("button", Object.assign({ type: "button", class: kind }, more), [label]);
    made.onclick = react;
    return made;
  };
  // fill replaces what the card shows. The parts of the state follow by showPart.
  const fill = (heading, parts) => {
    card.className = settings.on_phone ? "login here" : "login";
    card.lang = settings.lang;
    card.textContent = "";
    delete card.dataset.state;
    for (const part of [make("h2", { id: "heading" }, [heading])].concat(parts)) if (part) card.append(part);
    setOffline(false);
  };
  const offlineNote = () => make("p", { class: "warning", role: "status", "data-show": "offline", hidden: "" }, [text("offline")]);
  const setState = (name) => {
    if (card.dataset.state === name) return;
    const held = root.activeElement;
    showPart(card, name);
    // As on the login page: a panel's button gets the focus, or the code's button if a panel had it.
    const way = find(`[data-show=${name}] button`) || held && held.closest("[data-show][hidden]") && find("#renew button");
    if (way) focus(way);
    fire("state", { state: name });
  };

  // wayLink leads to another way. All but WeChat's own page are shown in this card.
  const wayLink = (other) => {
    const link = make("a", { href: other.url }, [text("login." + other.way)]);
    if (other.way !== "website") {
      link.onclick = (event) => {
        event.preventDefault();
        host.setAttribute("with", other.way);
      };
    }
    return link;
  };

  // fillCode shows a code, or digits to send, with the panels that lie on it in other states.
  const fillCode = (view, svg) => {
    const { digits, way } = current;
    const phone = settings.on_phone && !way;
    const renew = () => step && step.renew && step.renew();
    const icon = (kind) => make("i", { class: "icon " + kind });
    const panel = (name, symbol, key, label) => make("div", { "data-show": name, hidden: "" }, [
      symbol, make("b", {}, [text(key + ".heading")]), make("p", {}, [text(key + ".text")]), label && button(label, renew, "primary"),
    ]);
    const link = make("input", { id: "link", readonly: "", "aria-label": text("login.link") });
    const copy = button(text("login.copy"), null, "primary", { "aria-live": "polite" });
    copyOnClick(copy, link, () => {
      copy.textContent = text("login.copied");
      view.kept = true;
    });
    const list = (keys) => make("ol", {}, keys.map((key) => make("li", {}, [text("login." + key)])));
    fill(text("login.heading"), [
      phone && make("p", {}, [text("login.here")]),
      way === "mini" && settings.on_phone && make("p", {}, [text("login.mini_here")]),
      digits ? list([svg && !settings.on_phone ? "message1" : "message0", "message2", "message3"]) : way && list(["step1", "step2", way === "mini" ? "mini3" : "follow3"]),
      make("div", { class: "scan" }, [
        make("div", { class: "stage" }, [
          make("div", { class: "code" }, phone ? [
            list(["here1", "here2", "here3"]),
            link, copy, make("a", { class: "button", href: "weixin://" }, [text("login.wechat")]),
          ] : [way && !current.simulated ? svg && make("p", { class: "qr" }) : make("a", { class: "qr", target: "_blank", rel: "noopener", "aria-label": text("login.open") })]),
          make("div", { class: "status", role: "status" }, [
            panel("scanned", icon("phone"), way && way !== "mini" ? "login.replied" : phone ? "login.opened" : "login.scanned"),
            panel("approved", drawn(checkMark), "login.approved"),
            panel("denied", icon("cross"), "login.denied", text("again")),
            panel("expired", icon(""), "login.expired", text("login.renew")),
            panel("rejected", icon("cross"), "login.rejected", text("login.renew")),
          ]),
        ]),
        make("p", { class: "line", role: "status" }, [
          make("span", { "data-show": "waiting" }, [text(digits ? "login.waiting_message" : phone ? "login.waiting_here" : "login.waiting")]),
          make("span", { "data-show": "offline", hidden: "" }, [text("offline")]),
        ]),
        make("p", { class: digits ? "number digits" : "number" }, [make("span", {}, [text(digits ? "login.digits" : way === "follow" ? "login.type" : "login.number")]), " ", make("b", {})]),
        make("p", { class: "timer" }),
        make("div", { id: "renew" }, [button(text("login.renew"), renew, "plain")]),
      ]),
      phone && make("section", { class: "code" }, [make("h3", {}, [text("login.other")]), make("p", { class: "qr" })]),
      current.other_ways && make("p", { class: "other" }, current.other_ways.map(wayLink)),
    ]);
  };

  const followCode = (svg) => {
    const view = {
      kept: false,
      isHidden: () => document.hidden || !visible,
      show: setState,
      setOffline,
      useCode: (next, picture) => {
        current = next;
        codeEnds = Date.now() + next.expires_in * 1000;
        for (const link of card.querySelectorAll("a.qr")) link.href = next.scan_url;
        for (const field of card.querySelectorAll("#link")) field.value = next.scan_url;
        find(".number b").textContent = next.digits || next.match_number;
        if (picture) drawCode(picture, find(".qr"), text("login.qr"));
      },
      count: (left) => {
        countDown(find(".timer"), text("login.renews"), left);
        setTimeout(update); // an observer may miss that the card was hidden
      },
      goOn: () => card.dataset.state === "approved" ? askAccount() : begin(),
    };
    fillCode(view, svg);
    view.useCode(current, svg);
    setState("waiting");
    step = follow(Object.assign({ state: "waiting" }, current), view);
  };

  // begin starts or resumes a login.
  const begin = () => {
    halt();
    stale = false;
    const me = step = persist(async () => {
      const lang = (host.closest("[lang]") || document.documentElement).lang;
      const texts = ask(`${base}/assets/login.json?lang=${encodeURIComponent(lang)}`, 10, { cache: "no-cache" }).then((answer) => answer.json());
      const answer = await ask(base + (host.hasAttribute("link") ? "/link" : "/login"), 10, {
        method: "POST", headers: { Accept: "application/json", "Content-Type": "application/json" },
        body: JSON.stringify({ return_to: returnTo(), with: host.getAttribute("with") || "" }),
      });
      const login = await answer.json();
      const loaded = await texts;
      const svg = await fetchCode(login.qr_url);
      if (me !== step) return;
      settings = loaded;
      current = login;
      if (!answer.ok) return fail(login);
      if (!login.redirect_url) return followCode(svg);
      halt();
      fill(text("login.heading"), [make("a", { class: "button primary", href: login.redirect_url }, [text("login.wechat")])]);
      setState("redirect");
    }, setOffline);
    step.run();
  };

  // message shows the end of a login.
  const message = (symbol, key, way) => {
    halt();
    stale = true;
    fill(text(key + ".heading"), [symbol, make("p", {}, [text(key + ".text")]), way]);
    card.insertBefore(symbol, card.firstChild);
    if (way) focus(way);
  };
  const fail = (problem) => {
    const code = problem.code || "unavailable";
    const key = "error." + (problem.login_url ? "login_required" : text(`error.${code}.heading`) ? code : "unavailable");
    const again = text(key + ".again") || text("again");
    message(make("i", { class: "icon" }), key, problem.login_url ? make("a", { class: "button primary", href: problem.login_url }, [again]) : button(again, begin, "primary"));
    fire("error", { code, loginUrl: problem.login_url });
  };
  const finished = (to) => {
    message(drawn(checkMark), "login.approved");
    if (!fire("finished", { returnTo: to }, true)) return;
    const next = new URL(to, location.href);
    if (!/^https?:$/.test(next.protocol)) return; // the attribute may have changed since the gate has checked it
    if (next.href === location.href) location.reload();
    else location.assign(next.href);
  };

  // fillAccount shows whose account it is. The names are those of the JSON.
  const fillAccount = (who, end) => {
    const fact = (key, value) => make("div", {}, [make("dt", {}, [text(key)]), make("dd", {}, [value])]);
    const picture = who.avatar_url && make("img", { src: who.avatar_url, alt: "", width: 72, height: 72, referrerpolicy: "no-referrer" });
    if (picture) hideBroken(picture);
    const go = button(text("finish.go"), () => end(""), "primary", { "aria-describedby": "who" });
    fill(text("finish.heading"), [
      host.hasAttribute("link") ? make("dl", { id: "who" }, [
        fact("fact.account", who.target_name || text("nameless")), who.nickname && fact("fact.wechat", who.nickname),
      ]) : make("div", { class: "who", id: "who" }, [
        make("i", { "aria-hidden": "true" }, [Array.from(who.nickname || "?")[0], picture]),
        make("b", {}, [who.nickname || who.new_account && text("finish.new") || text("finish.nameless")]),
        who.nickname && who.new_account && make("p", {}, [text("finish.new")]),
        who.phone_tail && make("p", {}, [text("finish.phone").replace("{phone}", who.phone_tail)]),
      ]),
      make("p", {}, [text("finish.text")]),
      make("div", { class: "answers" }, [go, button(text("finish.deny"), () => end("answer=deny"), "")]),
      offlineNote(),
    ]);
    card.dataset.state = "approved";
    focus(go);
  };

  // askAccount shows the account that the phone has approved, and finishes the login if the
  // person confirms it.
  const askAccount = () => {
    halt();
    const url = current.finish_url;
    const key = keyOf(url);
    const tabs = openTabs((heard) => heard.state === "finished" && heard.key === key && finished(returnTo()));
    let posted = "";
    const finish = persist(async () => {
      const answer = await ask(url, 30, { method: "POST", body: new URLSearchParams(posted) });
      const outcome = answer.status === 204 ? {} : await answer.json();
      if (me !== step) return;
      if (!answer.ok) return fail(outcome);
      if (answer.status === 204) {
        fire("state", { state: "declined" });
        return begin();
      }
      tabs.tell({ key, state: "finished" });
      finished(outcome.return_to);
    }, setOffline);
    const account = persist(async () => {
      const answer = await ask(current.account_url, 10);
      const who = await answer.json();
      if (me !== step) return;
      if (who.code === "finished") return finished(returnTo()); // by another tab
      if (!answer.ok) return fail(who);
      fillAccount(who, (answer) => {
        posted = answer;
        finish.run();
      });
      fire("approved");
      if (who.auto_finish) finish.run();
    }, setOffline);
    const me = step = {
      stop: () => {
        account.stop();
        finish.stop();
        tabs.close();
      },
    };
    account.run();
  };

  const update = () => {
    const seen = host.isConnected && host.getClientRects().length > 0;
    if (seen === visible) return;
    visible = seen;
    const past = step && step.renew && Date.now() > codeEnds;
    if (seen && (!step || stale || past)) begin();
    else if (step && step.turn) step.turn();
  };
  const observer = window.IntersectionObserver && new IntersectionObserver(update);
  let timer;
  return {
    start: () => {
      if (observer) observer.observe(host);
      else timer = setInterval(update, 500);
    },
    stop: () => {
      if (observer) observer.disconnect();
      clearInterval(timer);
      clearTimeout(changes);
      halt();
      visible = false;
    },
    change: () => {
      clearTimeout(changes);
      if (visible) changes = setTimeout(begin);
      else stale = true;
    },
  };
};
const checkMark = '<svg xmlns="http://www.w3.org/2000/svg" class="icon check" viewBox="0 0 64 64" aria-hidden="true"><path d="M20 33l9 9 16-19"/></svg>';

if (canFetch && window.customElements && !customElements.get("scangate-login")) {
  const cards = new WeakMap();
  customElements.define("scangate-login", class extends HTMLElement {
    static get observedAttributes() { return ["lang", "link", "return-to", "with"]; }
    constructor() {
      super();
      cards.set(this, createCard(this));
    }
    connectedCallback() { cards.get(this).start(); }
    disconnectedCallback() { cards.get(this).stop(); }
    attributeChangedCallback(name, last, value) { if (value !== last) cards.get(this).change(); }
  });
}
