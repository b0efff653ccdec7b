// passport-wechat: the strategy, as passport calls it.
import Strategy from "passport-wechat";

export async function begin(app) {
  const strategy = new Strategy({
    appID: app.appid, appSecret: app.secret, client: app.website ? "web" : "wechat", scope: app.website ? "snsapi_login" : "snsapi_userinfo",
    callbackURL: "https://app.example.com/callback", state: "state123", lang: "zh_CN",
  }, (accessToken, refreshToken, profile, expiresIn, done) => done(null, profile));
  return {
    link: await authenticate(strategy, {}),
    async finish(callback) {
      const profile = await authenticate(strategy, Object.fromEntries(new URL(callback).searchParams));
      const { openid, unionid, nickname, headimgurl } = profile;
      return { openid, unionid, nickname, picture: headimgurl };
    },
  };
}

// authenticate passes a request to the strategy. It returns the redirect or the user.
function authenticate(strategy, query) {
  return new Promise((resolve, reject) => {
    const actions = Object.create(strategy);
    Object.assign(actions, {
      redirect: resolve, success: resolve, error: reject,
      fail: (challenge) => reject(new Error(`failed: ${challenge}`)),
    });
    actions.authenticate({ query, protocol: "https", url: "/", originalUrl: "/", get: () => "app.example.com", _passport: {} });
  });
}
