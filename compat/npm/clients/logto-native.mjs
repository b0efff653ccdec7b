// Logto's connector for mobile applications. WeChat's app has no page and returns the code to
// the application, so the link here is that of an official account, which has the same calls.
import createConnector from "@logto/connector-wechat-native";
import { finish } from "./logto.mjs";

export async function begin(app) {
  const connector = await createConnector({ getConfig: async () => ({ appId: app.appid, appSecret: app.secret }) });
  const uri = new URL(await connector.getAuthorizationUri({ state: "state123" }, () => {}));
  if (uri.protocol !== "wechat:" || uri.searchParams.get("app_id") !== app.appid) {
    throw new Error(`authorization URI = ${uri}`);
  }
  const state = uri.searchParams.get("state");
  const link = `https://open.weixin.qq.com/connect/oauth2/authorize?appid=${app.appid}` +
    `&redirect_uri=https%3A%2F%2Fapp.example.com&response_type=code&scope=snsapi_userinfo&state=${state}#wechat_redirect`;
  return { link, finish: (callback) => finish(connector, callback) };
}
