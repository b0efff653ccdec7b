// Logto's connector for website applications.
import createConnector from "@logto/connector-wechat-web";
import { finish } from "./logto.mjs";

const redirectUri = "https://app.example.com/callback/wechat-web";

export async function begin(app) {
  const connector = await createConnector({ getConfig: async () => ({ appId: app.appid, appSecret: app.secret }) });
  const link = await connector.getAuthorizationUri({ state: "state-123", redirectUri }, () => {});
  return { link, finish: (callback) => finish(connector, callback) };
}
