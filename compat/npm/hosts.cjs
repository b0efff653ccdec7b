// Leads WeChat's hosts to the simulator, and refuses connections to other computers.
// Node loads it before a client (--require).
const net = require("node:net");

const hosts = process.env.WECHAT_HOSTS.split(",");
const [host, port] = process.env.WECHAT_ADDR.split(":");
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  // tls.connect and net.connect pass their normalized arguments as one array.
  const list = Array.isArray(args[0]) ? args[0] : args;
  const options = list[0];
  if (hosts.includes(options.host)) {
    list[0] = { ...options, host, port: Number(port) };
  } else if (options.host !== "127.0.0.1") {
    throw new Error(`connection to ${options.host}, want WeChat's hosts only`);
  }
  return connect.apply(this, args);
};
