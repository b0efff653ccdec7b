// finish passes a callback's parameters to a connector of Logto's, and returns its user.
export async function finish(connector, callback) {
  const { id, name, avatar, rawData } = await connector.getUserInfo(Object.fromEntries(new URL(callback).searchParams), () => {});
  return { id, openid: rawData.openid, unionid: rawData.unionid, nickname: name, picture: avatar };
}
