// The page that the codes of the gate's login page lead to. It asks the person whether they
// want to log in on that other screen. A login of the mini program itself comes here too, if
// the person has more to do than to tap "log in".
const config = require('../../config');
const entry = require('../../lib/entry');
const gate = require('../../lib/gate');
const session = require('../../lib/session');
const texts = require('../../lib/texts');

// The problems after which only a new code on the other screen helps.
const OVER = ['unknown', 'expired', 'denied', 'replaced', 'in_use', 'finished'];

// The problems that end the login for this person: another code would not help.
const REFUSED = ['disabled', 'rejected', 'not_registered', 'other_user', 'identity_taken'];

// The problems with a phone number, after which the person may try another one.
const NUMBER = ['phone_taken', 'not_registered', 'disabled'];

// The problems after which the same request may succeed later.
const PASSING = ['network', 'interrupted', 'server', 'login', 'exchanging', 'wechat', 'busy', 'unavailable', 'too_many', 'send_failed'];

Page({
  data: {
    t: {},
    view: 'wait', // 'wait', 'notice', 'confirm', 'terms', 'phone', 'code' or 'register'
    busy: false, // a request is on its way
    heading: '',
    text: '',
    icon: '', // of a notice: 'done', 'refused', 'picture' or 'warn'
    error: '', // why the last request failed, if the view stays
    again: '', // the label of the button that repeats what has failed, or ''
    scan: false, // whether a notice offers the camera
    account: '', // the account that gets another WeChat, or ''
    device: '',
    place: '',
    address: false, // whether place is an IP address
    number: '', // the number on the other screen, or '' if the person types it
    typed: '', // the typed number
    approve: '', // the label of the button that approves
    deny: '', // the label of the button that refuses, or leaves a login of the mini program's own
    terms: [],
    agreed: false,
    mobile: '', // the typed phone number
    sms: '', // the typed code of the text message
    resend: '', // the label of the button that sends the message again
    waits: 0, // seconds until it may be sent again
  },

  onLoad(query) {
    // A login belongs to the person who sees its code, so the page is not passed on.
    wx.hideShareMenu({});
    const t = texts.current();
    this.setData({ t, deny: t.deny });
    wx.setNavigationBarTitle({ title: t.login_title });
    const own = query && query.own ? session.takeUnfinished() : null;
    if (own) {
      this.own = true;
      this.id = own.id;
      this.setData({ deny: t.cancel });
      this.step(own);
    } else {
      this.enter(entry.read(query || {}, wx.getEnterOptionsSync().scene));
    }
  },

  onShow() {
    this.hidden = false;
    const resume = this.resume;
    this.resume = null;
    if (resume) {
      resume();
    }
  },

  onHide() {
    this.hidden = true;
  },

  onUnload() {
    this.gone = true; // no answer may reach the page any more
    clearTimeout(this.timer);
    if (this.task) {
      this.task.abort();
    }
  },

  // enter goes on with the login of a code, or explains why it does not.
  enter(found) {
    this.id = found.id;
    this.token = '';
    this.origin = {};
    this.setData({ typed: '', mobile: '', sms: '', agreed: false });
    switch (found.kind) {
      case 'scan':
        this.begin();
        break;
      case 'picture':
        this.notice('picture', 'picture', { again: this.data.t.go_on, repeat: () => this.begin() });
        break;
      default:
        this.notice('refused', found.kind, { scan: true });
    }
  },

  // begin proves to the gate which WeChat this is. A fresh code replaces the token, so a
  // person who opens the page again goes on where they were.
  begin(error) {
    const request = () => gate.withCode('/mini/' + this.id, (task) => { this.task = task; });
    this.act(request, { first: this.data.view === 'wait' || this.data.view === 'notice', error });
  },

  // post sends the person's input with the token of this login.
  post(path, data) {
    const body = Object.assign({ token: this.token }, data);
    this.act(() => gate.post('/mini/' + this.id + path, body, (task) => { this.task = task; }), {});
  },

  // act sends a request, one at a time, and shows its answer. first is whether there is no
  // step to return to yet. error is shown beside the answer.
  act(request, { first, error }) {
    if (this.data.busy || this.gone) {
      return;
    }
    this.setData({ busy: true, error: '', again: '' });
    const settle = (show) => {
      this.task = null;
      if (!this.gone) {
        this.setData({ busy: false });
        show();
      }
    };
    request().then(
      (answer) => settle(() => {
        this.resumed = false;
        this.step(answer);
        if (error) {
          this.setData({ error });
        }
      }),
      (failure) => settle(() => this.failed(failure, first, () => this.act(request, { first, error }))));
  },

  // step shows the step that the gate's answer names.
  step(answer) {
    this.token = answer.token || this.token;
    // Only the first answer describes the other screen.
    this.origin = answer.app === undefined ? this.origin : answer;
    switch (answer.step) {
      case 'confirm':
        this.confirm(answer);
        break;
      case 'terms':
        this.showTerms(answer);
        this.show('terms', this.data.t.terms_heading);
        break;
      case 'phone':
        this.show('phone', this.data.t.phone_heading);
        break;
      case 'code':
        this.show('code', this.data.t.code_heading, texts.fill(this.data.t.code_text, { phone: answer.phone || '' }));
        this.countDown(answer.resend_in || 0);
        break;
      case 'register':
        this.register(answer.register_url || '');
        break;
      case 'done':
        this.done(answer);
        break;
      default:
        this.notice('warn', 'server', { again: this.data.t.again, repeat: () => this.begin() });
    }
  },

  // show shows a view. What the person has typed stays.
  show(view, heading, text) {
    this.setData({ view, heading, text: text || '', error: '', again: '' });
  },

  // register offers the application's own registration. The page stays if it has not
  // registered the person.
  register(url) {
    if (url.indexOf(config.server + '/') !== 0) {
      this.notice('refused', 'not_registered', {});
      return;
    }
    const again = this.data.view === 'register';
    this.url = url;
    this.show('register', this.data.t.register_heading);
    this.setData({ error: again ? this.data.t.register_failed : '' });
  },

  // confirm asks the person whether they want to let the other screen in.
  confirm(answer) {
    const { t } = this.data;
    const { app, browser, system, place } = this.origin;
    const link = answer.purpose === 'link';
    this.link = link;
    this.showTerms(answer);
    this.setData({
      account: link ? answer.target_name || t.nameless : '',
      device: [browser, system].filter(Boolean).join(' · ') || t.unknown_device,
      place: place || '',
      address: /^[0-9a-f.:]+$/i.test(place || ''),
      number: answer.number ? String(answer.number) : '',
      approve: link ? t.approve_link : t.approve,
    });
    this.show('confirm', texts.fill(link ? t.confirm_heading_link : t.confirm_heading, { app }));
  },

  // showTerms shows the documents that the person has to agree to, if there are any.
  showTerms(answer) {
    if (this.agreement !== answer.agreement) {
      this.setData({ agreed: false });
    }
    this.agreement = answer.agreement; // undefined if there are none
    this.setData({ terms: answer.terms || [] });
  },

  // done shows the end of the login.
  done(answer) {
    if (answer.session) {
      session.keep(answer).then(() => wx.navigateBack({}));
    } else if (answer.state === 'denied') {
      this.notice('refused', this.approved ? 'mismatch' : 'refused_here', {});
    } else {
      this.notice('done', this.link ? 'done_link' : 'done', {});
    }
  },

  // failed explains a failure. The person keeps all that they have typed.
  failed(failure, first, repeat) {
    const { t } = this.data;
    const { code } = failure;
    if (this.hidden && (code === 'interrupted' || code === 'network')) {
      this.resume = repeat; // WeChat lets a mini program in the background send nothing
      return;
    }
    if (code === 'interrupted' && !this.resumed) {
      this.resumed = true; // the page is back before WeChat reports the interruption
      repeat();
      return;
    }
    if (code === 'unknown' && !first && !this.own) {
      // The person has opened the page again meanwhile, and that page got another token. If
      // the login itself is gone, the gate says so again.
      this.setData({ view: 'wait' });
      this.begin(t.reopened);
    } else if (OVER.indexOf(code) >= 0) {
      this.notice('warn', code, this.own ? { again: t.again, repeat: () => wx.navigateBack({}) } : { scan: true });
    } else if (this.data.view === 'code' && NUMBER.indexOf(code) >= 0) {
      this.show('phone', t.phone_heading); // for another number
      this.setData({ error: texts.sentence(t, code) });
    } else if (REFUSED.indexOf(code) >= 0 && this.data.view !== 'phone') {
      this.notice('refused', code, {});
    } else if (first) {
      this.notice('warn', code, { again: t.again, repeat });
    } else {
      const passing = PASSING.indexOf(code) >= 0 || failure.status >= 500;
      this.repeat = repeat;
      this.setData({ error: texts.sentence(t, code), again: passing ? t.again : '' });
    }
  },

  // notice shows a heading and a text in place of a step.
  notice(icon, code, { again, repeat, scan }) {
    const [heading, text] = texts.error(this.data.t, code);
    this.repeat = repeat;
    this.setData({ view: 'notice', icon, heading, text, again: again || '', scan: Boolean(scan), error: '' });
  },

  // tapAgain repeats what has failed.
  tapAgain() {
    this.repeat();
  },

  // tapScan scans another code with the camera.
  tapScan() {
    entry.scanAgain().then((code) => {
      if (!this.gone && code.scanned) {
        this.enter({ kind: code.id === '' ? 'foreign' : 'scan', id: code.id });
      }
    });
  },

  typeNumber(e) {
    this.setData({ typed: digits(e.detail.value, 2) });
  },

  typeMobile(e) {
    this.setData({ mobile: e.detail.value });
  },

  typeCode(e) {
    this.setData({ sms: digits(e.detail.value, 6) });
  },

  tapAgree() {
    this.setData({ agreed: !this.data.agreed });
  },

  // tapCopy copies a link. A mini program cannot open pages of other sites.
  tapCopy(e) {
    wx.setClipboardData({ data: e.currentTarget.dataset.url });
  },

  // tapApprove lets the other screen in, or agrees to the terms.
  tapApprove() {
    const { t, view, number, typed, agreed } = this.data;
    if (this.agreement !== undefined && !agreed) {
      this.setData({ error: texts.sentence(t, 'terms_required') });
    } else if (view === 'confirm' && number === '' && typed.length !== 2) {
      this.setData({ error: t.type_number });
    } else {
      const answer = { answer: 'approve' };
      if (this.agreement !== undefined) {
        answer.agree = this.agreement;
      }
      if (view === 'confirm') {
        this.approved = true;
        answer.number = number || typed;
      }
      this.post('/answer', answer);
    }
  },

  tapDeny() {
    if (this.own) {
      wx.navigateBack({});
      return;
    }
    this.approved = false;
    this.post('/answer', { answer: 'deny' });
  },

  // gotNumber gets the code for the phone number that the person has let WeChat share. Each
  // code costs money, so a failed request is repeated with the same one.
  gotNumber(e) {
    const { code, errno } = e.detail;
    if (code) {
      this.post('/phone', { code });
    } else {
      this.setData({ error: errno === 1400001 ? this.data.t.phone_unavailable : this.data.t.phone_needed });
    }
  },

  // tapSend sends a text message to the typed number.
  tapSend() {
    if (this.data.mobile === '') {
      this.setData({ error: this.data.t.type_mobile });
      return;
    }
    this.post('/phone', { phone: this.data.mobile });
  },

  // tapResend sends another text message to the same number.
  tapResend() {
    this.post('/phone', {});
  },

  // tapOther goes back to the choice of a number.
  tapOther() {
    this.show('phone', this.data.t.phone_heading);
  },

  tapCode() {
    if (this.data.sms.length !== 6) {
      this.setData({ error: this.data.t.type_code });
      return;
    }
    this.post('/phone', { sms: this.data.sms });
  },

  // tapRegister has the application register the person, whom its server knows by the token.
  // A registration with a form of its own sends its fields along. Then the gate is asked for
  // the next step. That approves nothing.
  tapRegister() {
    const { url, token } = this;
    const keep = (task) => { this.task = task; };
    this.act(() => gate.send('POST', url, { 'content-type': 'application/x-www-form-urlencoded' }, 'token=' + encodeURIComponent(token), keep)
      .then(() => gate.post('/mini/' + this.id + '/phone', { token }, keep)), {});
  },

  // countDown shows how long the person has to wait for another text message.
  countDown(seconds) {
    clearTimeout(this.timer);
    const { t } = this.data;
    this.setData({ waits: seconds, resend: seconds > 0 ? texts.fill(t.code_resend_in, { seconds }) : t.code_resend });
    if (seconds > 0) {
      this.timer = setTimeout(() => this.countDown(seconds - 1), 1000);
    }
  },
});

// digits returns the first digits of a typed text. Chinese keyboards offer full-width ones.
function digits(text, count) {
  return text.replace(/[０-９]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)).replace(/[^0-9]/g, '').slice(0, count);
}
