// Requests to the gate's routes below {server}{basePath}/mini/.
const config = require('../config');
const texts = require('./texts');

// failure returns why a request has no answer. Its code is one of the gate's problem codes,
// or 'network', 'interrupted', 'server' or 'login'.
function failure(code, status) {
  return { code, status: status || 0 };
}

// send sends a request, and returns a promise of the answer's JSON. onTask, if there is
// one, gets the running request, which can be aborted.
function send(method, url, header, data, onTask) {
  return new Promise((resolve, reject) => {
    const task = wx.request({
      method,
      url,
      data,
      header: Object.assign({
        'content-type': 'application/json',
        accept: 'application/json',
        'accept-language': texts.language().replace('_', '-'),
      }, header),
      timeout: 15000,
      success(answer) {
        const status = answer.statusCode;
        const body = answer.data && typeof answer.data === 'object' ? answer.data : {};
        if (status >= 200 && status < 300) {
          resolve(body);
        } else {
          // Without a problem the answer is a proxy's, not the gate's.
          reject(failure(typeof body.code === 'string' ? body.code : 'server', status));
        }
      },
      fail(e) {
        // WeChat interrupts requests of a mini program that is in the background for 5 s.
        reject(failure(/interrupted/.test((e && e.errMsg) || '') ? 'interrupted' : 'network'));
      },
    });
    if (onTask) {
      onTask(task);
    }
  });
}

// post sends JSON to a route of the gate.
function post(path, data, onTask) {
  return send('POST', config.server + config.basePath + path, {}, data, onTask);
}

// withCode asks WeChat for a login code, and posts it to a route. Each code is good for one
// exchange, so a repeated call asks for a new one.
function withCode(path, onTask) {
  return new Promise((resolve, reject) => {
    wx.login({
      timeout: 10000,
      success: (answer) => (answer.code ? resolve(answer.code) : reject(failure('login'))),
      fail: (e) => reject(failure(/interrupted/.test((e && e.errMsg) || '') ? 'interrupted' : 'login')),
    });
  }).then((code) => post(path, { code }, onTask));
}

module.exports = { failure, send, post, withCode };
