// Vue 3 without a build step. With ?dialog the element is in a dialog.
"use strict";

const { createApp, h, ref } = Vue;

createApp({
  setup() {
    const name = ref("");
    const dialog = ref(null);
    const finished = async (event) => {
      event.preventDefault(); // stay on this page
      name.value = (await (await fetch("/api/account")).json()).name;
    };
    // h has no tag of this name among its components, and makes an element.
    const login = () => h("scangate-login", { "return-to": "/tags/vue.html", "onScangate-finished": finished });
    const content = () => {
      if (name.value) return h("p", { id: "name" }, name.value);
      if (location.search !== "?dialog") return login();
      return h("div", [
        h("button", { id: "open", onClick: () => dialog.value.showModal() }, "Log in"),
        h("dialog", { ref: dialog, "aria-label": "Log in" }, [h("form", { method: "dialog" }, h("button", { id: "close" }, "Close")), login()]),
      ]);
    };
    return () => [h("h1", "Vue"), content()];
  },
}).mount("#app");
