// Serves a push URL with node-webot's wechat. It prints its address, and ends with its input.
//
// The account and the reply are in the request's headers X-Account and X-Reply. The response's
// header X-Message holds the message as the library reads it. All are JSON, percent-encoded.
import { createServer } from "node:http";
import wechat from "wechat";

const decode = (request, header) => JSON.parse(decodeURIComponent(request.headers[header]));

let open; // the response to the last request
const server = createServer((request, response) => {
  open = response;
  request.query = Object.fromEntries(new URL(request.url, "http://localhost").searchParams);
  const { appid, token, key } = decode(request, "x-account");
  const middleware = wechat({ appid, token, encodingAESKey: key }, () => {
    response.setHeader("X-Message", encodeURIComponent(JSON.stringify(request.weixin)));
    response.reply(decode(request, "x-reply"));
  });
  middleware(request, response, () => response.writeHead(403).end("refused"));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
// The library decrypts after it has returned, where no caller catches its errors.
process.on("uncaughtException", () => open.writeHead(500).end("failed"));
