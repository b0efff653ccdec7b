// Auth.js: whole requests and responses of @auth/core.
import { Auth } from "@auth/core";
import WeChat from "@auth/core/providers/wechat";

const origin = "https://app.example.com";

export async function begin(app) {
  const browser = new Browser({
    basePath: "/auth", secret: "0123456789abcdef0123456789abcdef", trustHost: true,
    providers: [WeChat({ clientId: app.appid, clientSecret: app.secret, platformType: app.website ? "WebsiteApp" : "OfficialAccount" })],
    callbacks: {
      jwt: ({ token, profile, account }) => (account ? { ...token, profile, id: account.providerAccountId } : token),
      session: ({ session, token }) => ({ ...session, profile: token.profile, id: token.id }),
    },
    // Errors are thrown, not logged.
    logger: { error: (error) => { browser.failure = error.cause?.err?.message || error.message; } },
  });
  const { csrfToken } = await (await browser.get("/auth/csrf")).json();
  const response = await browser.post("/auth/signin/wechat", { csrfToken, callbackUrl: `${origin}/` });
  return { link: response.headers.get("location"), finish: (callback) => finish(browser, callback) };
}

async function finish(browser, callback) {
  await browser.get(callback);
  const session = await (await browser.get("/auth/session")).json();
  if (!session) throw new Error(browser.failure || "no session");
  const { openid, unionid } = session.profile;
  return { openid, unionid, id: session.id, nickname: session.user.name, picture: session.user.image };
}

// Browser sends requests to Auth.js, with cookies.
class Browser {
  cookies = new Map();

  constructor(config) {
    this.config = config;
  }

  get(path) {
    return this.send(path, {});
  }

  post(path, form) {
    return this.send(path, { method: "POST", body: new URLSearchParams(form) });
  }

  async send(path, init) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await Auth(new Request(new URL(path, origin), { ...init, headers: { cookie } }), this.config);
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    return response;
  }
}
