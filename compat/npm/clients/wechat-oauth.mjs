// wechat-oauth: the links, and the calls of the API.
import OAuth from "wechat-oauth";
import { promisify } from "node:util";

const callback = "https://app.example.com/callback?from=%2Fa%20b";

export async function begin(app) {
  const oauth = new OAuth(app.appid, app.secret);
  const link = app.website
    ? oauth.getAuthorizeURLForWebsite(callback, "state123")
    : oauth.getAuthorizeURL(callback, "state123", "snsapi_userinfo");
  return { link, finish: (address) => finish(oauth, new URL(address)) };
}

async function finish(oauth, address) {
  if (address.searchParams.get("state") !== "state123" || address.searchParams.get("from") !== "/a b") {
    throw new Error("the callback has another state or query");
  }
  if (!address.searchParams.get("code")) throw new Error("refused");
  const { data } = await promisify(oauth.getAccessToken.bind(oauth))(address.searchParams.get("code"));
  const { openid, access_token, refresh_token } = data;
  const profile = await promisify(oauth.getUser.bind(oauth))({ openid, lang: "zh_CN" });
  return {
    openid: profile.openid, unionid: profile.unionid, nickname: profile.nickname, picture: profile.headimgurl,
    async check() {
      await promisify(oauth.verifyToken.bind(oauth))(openid, access_token);
      return { openid };
    },
    async refresh() {
      const fresh = await promisify(oauth.refreshAccessToken.bind(oauth))(refresh_token);
      await promisify(oauth.verifyToken.bind(oauth))(openid, fresh.data.access_token);
      return { openid: fresh.data.openid };
    },
  };
}
