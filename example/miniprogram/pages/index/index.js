// The mini program's own page: it logs the person in to the application, and shows their
// account.
const session = require('../../lib/session');
const texts = require('../../lib/texts');

Page({
  data: {
    t: {},
    busy: false,
    id: '', // of the user, or '' while no one is logged in
    hello: '',
    error: '',
  },

  onLoad() {
    wx.hideShareMenu({});
    this.setData({ t: texts.current() });
    wx.setNavigationBarTitle({ title: this.data.t.index_title });
  },

  // onShow also comes after pages/login/login has ended a login.
  onShow() {
    session.kept().then((kept) => {
      if (kept && !this.gone && this.data.id === '') {
        this.tapLogin(); // the session is still good, so no tap is needed
      }
    });
  },

  onUnload() {
    this.gone = true;
  },

  // tapLogin shows the account. The request logs in if that is necessary.
  tapLogin() {
    this.act(() => session.request('GET', '/api/account'), (account) => ({
      id: account.id,
      hello: texts.fill(this.data.t.index_hello, { name: account.name }),
    }));
  },

  tapLogout() {
    this.act(() => session.logOut(), () => ({ id: '', hello: '' }));
  },

  // act sends requests, unless others are on their way, and shows what came of them.
  act(send, shows) {
    if (this.data.busy) {
      return;
    }
    this.setData({ busy: true, error: '' });
    send().then(shows, (failure) => this.failed(failure)).then((change) => {
      if (!this.gone) {
        this.setData(Object.assign({ busy: false }, change));
      }
    });
  },

  // failed returns what to show after a failure. A login with more steps goes on elsewhere.
  failed(failure) {
    if (failure.code === 'unfinished') {
      wx.navigateTo({ url: '/pages/login/login?own=1' });
      return { id: '', hello: '' };
    }
    return { error: texts.sentence(this.data.t, failure.code) };
  },
});
