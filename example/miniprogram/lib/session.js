// The mini program's own login: a session of the gate's, kept on the phone, which requests
// to the application carry in a Cookie header. WeChat itself keeps no cookies.
const config = require('../config');
const gate = require('./gate');

const KEY = 'session';

// kept returns a promise of the session on the phone, or of null.
function kept() {
  return new Promise((resolve) => {
    wx.getStorage({ key: KEY, success: (item) => resolve(item.data), fail: () => resolve(null) });
  }).then((session) => (session && Date.parse(session.expires_at) > Date.now() ? session : null));
}

// keep keeps the session of an answer on the phone.
function keep(answer) {
  const data = { session: answer.session, cookie: answer.cookie, expires_at: answer.expires_at };
  return new Promise((resolve) => wx.setStorage({ key: KEY, data, complete: () => resolve(data) }));
}

// forget removes the session from the phone.
function forget() {
  return new Promise((resolve) => wx.removeStorage({ key: KEY, complete: () => resolve() }));
}

// The login that waits for more from the person, until takeUnfinished takes it.
let unfinished = null;

// logIn begins a session. If the person has more to do first, such as to share a phone
// number, it fails with the code 'unfinished', and pages/login/login goes on.
function logIn() {
  return gate.withCode('/mini/login').then((answer) => {
    if (!answer.session) {
      unfinished = answer;
      throw gate.failure('unfinished');
    }
    return keep(answer);
  });
}

// takeUnfinished returns the login that waits for more from the person, once, or null.
function takeUnfinished() {
  const login = unfinished;
  unfinished = null;
  return login;
}

// sent sends a request with a session to a path of the server.
function sent(session, method, path, data) {
  return gate.send(method, config.server + path, { Cookie: session.cookie + '=' + session.session }, data);
}

// over reports whether a request failed because a new login is needed: the session has ended,
// or the application has come to require a phone number.
function over(failure) {
  return failure.status === 401 || failure.code === 'phone_required';
}

// request sends a request to the application. Without a session it logs in first. If the
// session is over, it logs in again, once.
function request(method, path, data) {
  return kept().then((session) => {
    if (session === null) {
      return logIn().then((fresh) => sent(fresh, method, path, data));
    }
    return sent(session, method, path, data).catch((failure) => {
      if (!over(failure)) {
        throw failure;
      }
      return forget().then(logIn).then((fresh) => sent(fresh, method, path, data));
    });
  });
}

// logOut ends the session at the server, and then forgets it. If the server cannot be
// reached, the session stays, so that the person can try again.
function logOut() {
  return kept().then((session) => {
    if (session === null) {
      return undefined;
    }
    return sent(session, 'POST', config.basePath + '/logout', {}).catch((failure) => {
      // The developer tools are a browser, whose requests the gate takes for another site's.
      if (failure.status !== 401 && failure.code !== 'forged') {
        throw failure;
      }
    });
  }).then(forget);
}

module.exports = { keep, kept, logOut, request, takeUnfinished };
