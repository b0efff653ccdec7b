// React 18 without a build step. With ?dialog the element is in a dialog.
"use strict";

const { createElement: h, useEffect, useRef, useState } = React;

// Login shows the element. React 18 has no properties for the events of elements, so the
// component adds the listener itself.
function Login({ onFinished }) {
  const element = useRef(null);
  useEffect(() => {
    const finished = (event) => {
      event.preventDefault(); // stay on this page
      onFinished();
    };
    const login = element.current;
    login.addEventListener("scangate-finished", finished);
    return () => login.removeEventListener("scangate-finished", finished);
  }, [onFinished]);
  return h("scangate-login", { ref: element, "return-to": "/tags/react.html" });
}

function App() {
  const [name, setName] = useState("");
  const dialog = useRef(null);
  const onFinished = async () => setName((await (await fetch("/api/account")).json()).name);
  if (name) return h("p", { id: "name" }, name);
  if (location.search !== "?dialog") return h(Login, { onFinished });
  return h("div", null,
    h("button", { id: "open", onClick: () => dialog.current.showModal() }, "Log in"),
    h("dialog", { ref: dialog, "aria-label": "Log in" },
      h("form", { method: "dialog" }, h("button", { id: "close" }, "Close")),
      h(Login, { onFinished })));
}

ReactDOM.createRoot(document.querySelector("#app")).render(h(React.StrictMode, null, h("h1", null, "React"), h(App)));
