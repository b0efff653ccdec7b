// better-auth: whole requests and responses.
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const origin = "https://app.example.com";

export async function begin(app) {
  const tables = { user: [], session: [], account: [], verification: [] };
  const auth = betterAuth({
    baseURL: origin, secret: "0123456789abcdef0123456789abcdef", telemetry: { enabled: false },
    database: memoryAdapter(tables), socialProviders: { wechat: { clientId: app.appid, clientSecret: app.secret } },
    logger: { disabled: true },
  });
  const browser = new Browser(auth);
  const response = await browser.send("/api/auth/sign-in/social", { provider: "wechat", callbackURL: "/" });
  return { link: (await response.json()).url, finish: (callback) => finish(browser, tables, callback) };
}

async function finish(browser, tables, callback) {
  const response = await browser.send(callback);
  const session = await (await browser.send("/api/auth/get-session")).json();
  if (!session) throw new Error(response.headers.get("location") || `status ${response.status}`);
  const [account] = tables.account;
  return {
    id: account.accountId, nickname: session.user.name, picture: session.user.image,
    async refresh() {
      const before = account.accessToken;
      const response = await browser.send("/api/auth/refresh-token", { accountId: account.id });
      if (!response.ok) throw new Error(`refresh: status ${response.status} ${await response.text()}`);
      const { accessToken } = await response.json();
      if (!accessToken || accessToken === before) throw new Error("the access token is the same");
      return { id: account.accountId };
    },
  };
}

// Browser sends requests to better-auth, with cookies.
class Browser {
  cookies = new Map();

  constructor(auth) {
    this.auth = auth;
  }

  async send(path, json) {
    const headers = { origin, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ") };
    const init = json ? { method: "POST", body: JSON.stringify(json), headers: { ...headers, "content-type": "application/json" } } : { headers };
    const response = await this.auth.handler(new Request(new URL(path, origin), init));
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    return response;
  }
}
