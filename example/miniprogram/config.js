// Fill in both values. They are constants, so that a QR code can never choose a server.
module.exports = {
  // The origin of the gate's Config.PublicURL, without a slash at the end. In production it
  // begins with https://, and WeChat's console lists it under 服务器域名 (request).
  server: 'http://127.0.0.1:8080',

  // The gate's Config.BasePath.
  basePath: '/wechat',
};
