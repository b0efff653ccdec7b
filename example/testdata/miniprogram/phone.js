// A phone with WeChat, on which the mini program of example/miniprogram runs. It reads
// commands from its standard input, one JSON object a line, and answers each with the
// screen and with all that the mini program has done.
//
// The environment: MINIPROGRAM is the mini program's directory, SERVER the gate's server,
// CODES the URL of the codes that WeChat gives out, LANGUAGE WeChat's language.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const readline = require('readline');
const vm = require('vm');
const compiler = require('./compiler');
const html = require('./html');
const wxml = require('./wxml');

const { MINIPROGRAM, SERVER, CODES, LANGUAGE } = process.env;
const AGENT = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 ' +
  'MicroMessenger/8.0.50.2701(0x2800325D) MiniProgramEnv/android';

// What WeChat keeps of a mini program between two runs of it.
const storage = {};
// What the mini program has done since the last command.
let requests = [];
let faults = [];
// The running mini program, or null.
let running = null;
// The calls of wx that have not answered yet.
const calls = new Set();
// Whether the person's next answer to a question of WeChat's is no.
const refuses = {};
let camera = null; // what the next scan by the camera finds

// get fetches a URL of the test.
function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => {
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${url}: status ${answer.statusCode}: ${text}`));
      });
    }).on('error', reject);
  });
}

// call runs an asynchronous function of wx. It calls success or fail of the options, and
// complete, as WeChat does: never before the function has returned.
function call(name, options, run) {
  options = options || {};
  const entry = { name };
  calls.add(entry);
  const finish = (which, value) => {
    calls.delete(entry);
    for (const callback of [options[which], options.complete]) {
      if (typeof callback === 'function') {
        try {
          callback(value);
        } catch (e) {
          faults.push(`${name}: ${which} threw: ${e.stack}`);
        }
      }
    }
  };
  Promise.resolve().then(run).then(
    (value) => finish('success', Object.assign({ errMsg: name + ':ok' }, value)),
    (error) => finish('fail', Object.assign({ errMsg: `${name}:fail ${error.message}` }, error.detail)));
}

// request is wx.request.
function request(options) {
  const record = { method: options.method || 'GET', url: options.url, header: options.header || {}, body: typeof options.data === 'string' ? options.data : JSON.stringify(options.data || ''), status: 0 };
  requests.push(record);
  let abort = () => {};
  call('request', options, () => new Promise((resolve, reject) => {
    // WeChat's console lists the server's domain, and WeChat refuses any other.
    if (options.url.split('/').slice(0, 3).join('/') !== SERVER) {
      reject(new Error('url not in domain list'));
      return;
    }
    if (running && running.hidden) {
      reject(new Error('interrupted'));
      return;
    }
    const payload = options.data === undefined ? '' : record.body;
    const header = Object.assign({}, options.header, {
      'User-Agent': AGENT,
      Referer: 'https://servicewechat.com/wx0000000000000003/0/page-frame.html',
    });
    if (process.env.DEVTOOLS) {
      // The developer tools are a browser.
      Object.assign(header, { Origin: 'https://servicewechat.com', 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' });
    }
    if (payload) {
      header['Content-Length'] = Buffer.byteLength(payload);
    }
    const sent = http.request(options.url, { method: record.method, headers: header, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => {
        record.status = answer.statusCode;
        let data = text;
        try {
          data = JSON.parse(text);
        } catch (e) {
          // WeChat passes on what is not JSON as text.
        }
        resolve({ statusCode: answer.statusCode, data, header: answer.headers, cookies: [].concat(answer.headers['set-cookie'] || []) });
      });
    });
    sent.on('error', () => reject(new Error('')));
    abort = (why) => {
      reject(new Error(why));
      sent.destroy();
    };
    if (running) {
      running.aborts.push(() => abort('interrupted'));
    }
    sent.end(payload);
  }));
  return { abort: () => abort('abort') };
}

// The functions of WeChat's that the mini program may call. Any other is undefined, as in
// an old WeChat.
const wx = {
  request,
  login: (options) => call('login', options, async () => {
    if (refuses.login) {
      throw new Error('system error');
    }
    return { code: await get(CODES + '/login') };
  }),
  scanCode: (options) => call('scanCode', options, async () => {
    if (!options.onlyFromCamera) {
      faults.push('scanCode accepts pictures of the album');
    }
    if (camera === null) {
      throw new Error('cancel');
    }
    return camera;
  }),
  getStorage: (options) => call('getStorage', options, async () => {
    if (!(options.key in storage)) {
      throw new Error('data not found');
    }
    return { data: JSON.parse(storage[options.key]) };
  }),
  setStorage: (options) => call('setStorage', options, async () => { storage[options.key] = JSON.stringify(options.data); }),
  removeStorage: (options) => call('removeStorage', options, async () => { delete storage[options.key]; }),
  navigateTo: (options) => call('navigateTo', options, async () => {
    const [pagePath, query] = options.url.slice(1).split('?');
    running.page.onHide?.();
    openPage(pagePath, Object.fromEntries((query || '').split('&').map((part) => part.split('='))));
    return {};
  }),
  navigateBack: (options) => call('navigateBack', options, async () => {
    if (running.stack.length < 2) {
      throw new Error('cannot navigate back at first page');
    }
    running.stack.pop().page.onUnload?.();
    Object.assign(running, running.stack[running.stack.length - 1]);
    running.page.onShow?.();
    return {};
  }),
  hideShareMenu: (options) => { running.shareHidden = true; call('hideShareMenu', options, async () => ({})); },
  setNavigationBarTitle: (options) => { running.title = options.title; call('setNavigationBarTitle', options, async () => ({})); },
  setClipboardData: (options) => { running.clipboard = options.data; call('setClipboardData', options, async () => ({})); },
  getEnterOptionsSync: () => ({ path: running.path, query: running.query, scene: running.scene }),
};
if (process.env.OLD_WECHAT) {
  wx.getSystemInfoSync = () => ({ language: LANGUAGE });
} else {
  wx.getAppBaseInfo = () => ({ language: LANGUAGE, SDKVersion: '3.4.0', theme: 'light' });
}

// start runs the mini program's files in a context of their own: it has JavaScript and
// WeChat's functions, and neither Node's nor a browser's.
function start(scene, pagePath, query) {
  running = { scene, path: pagePath, query, hidden: false, title: '', shareHidden: false, clipboard: '', aborts: [], stack: [] };
  const definitions = {};
  let loading = '';
  const modules = {};
  const log = (...args) => faults.push('console.error: ' + args.join(' '));
  const context = vm.createContext({
    wx, setTimeout, clearTimeout, console: { log() {}, info() {}, warn: log, error: log },
    App: (app) => { running.app = app; },
    getApp: () => running.app,
    Page: (page) => { definitions[loading] = page; },
    getCurrentPages: () => running.stack.map((entry) => entry.page),
  });
  const load = (file) => {
    if (file in modules) {
      return modules[file].exports;
    }
    const module = modules[file] = { exports: {} };
    if (file === 'config.js') {
      module.exports = { server: SERVER, basePath: '/wechat' };
      return module.exports;
    }
    const source = fs.readFileSync(path.join(MINIPROGRAM, file), 'utf8');
    const requireFrom = (name) => {
      const wanted = path.posix.join(path.posix.dirname(file), name);
      if (!name.startsWith('.') || wanted.startsWith('..')) {
        throw new Error(`${file} requires ${name}, which is not a file of the mini program`);
      }
      return load(wanted.endsWith('.js') ? wanted : wanted + '.js');
    };
    vm.runInContext(`(function (module, exports, require) {'use strict';${source}\n})`, context, { filename: file })(module, module.exports, requireFrom);
    return module.exports;
  };
  load('app.js');
  const settings = JSON.parse(fs.readFileSync(path.join(MINIPROGRAM, 'app.json'), 'utf8'));
  if (!settings.pages.includes(pagePath)) {
    throw new Error(`app.json has no page ${pagePath}`);
  }
  running.load = (name) => {
    loading = name;
    load(name + '.js');
    return definitions[name];
  };
  if (running.app && running.app.onLaunch) {
    running.app.onLaunch({ scene, path: pagePath, query });
  }
  openPage(pagePath, query);
}

// openPage makes a page of its definition, and opens it on top of the others.
function openPage(pagePath, query) {
  const definition = running.load(pagePath);
  const page = Object.create(definition);
  page.data = JSON.parse(JSON.stringify(definition.data || {}));
  page.route = pagePath;
  page.setData = (change, done) => {
    if (!running?.stack.some((entry) => entry.page === page)) {
      faults.push(`setData after the page is gone: ${Object.keys(change)}`);
      return;
    }
    for (const [key, value] of Object.entries(change)) {
      if (!(key in page.data)) {
        faults.push(`setData: the page's data has no ${key}`);
      }
      if (value === undefined) {
        faults.push(`setData: ${key} is undefined`);
      } else {
        page.data[key] = JSON.parse(JSON.stringify(value));
      }
    }
    if (done) {
      done();
    }
  };
  const tree = wxml.parse(fs.readFileSync(path.join(MINIPROGRAM, pagePath + '.wxml'), 'utf8'));
  running.stack.push({ page, tree });
  Object.assign(running, { page, tree });
  page.onLoad?.(query);
  page.onShow?.();
  page.onReady?.();
}

// compiled renders a page with WeChat's own compiler, if there is one.
const compiled = process.env.SCANGATE_WCC &&
  compiler.compile(MINIPROGRAM, JSON.parse(fs.readFileSync(path.join(MINIPROGRAM, 'app.json'), 'utf8')).pages);

// shown returns the nodes that the page shows now.
function shown() {
  const nodes = wxml.render(running.tree.children, running.page.data);
  if (compiled) {
    const [got, want] = [nodes, compiled(running.page.route, running.page.data)].map(compiler.comparable);
    if (got !== want) {
      faults.push(`WeChat's compiler renders ${want}, the stand-in ${got}`);
    }
  }
  return nodes;
}

// find returns the only control with a text, or with a label.
function find(tags, label) {
  const found = [];
  wxml.walk(shown(), (node) => {
    if (tags.includes(node.tag) && (wxml.textOf(node) === label || node.attrs['aria-label'] === label)) {
      found.push(node);
    }
  });
  if (found.length !== 1) {
    throw new Error(`the page has ${found.length} controls "${label}"; it shows: ${JSON.stringify(screen().text)}`);
  }
  return found[0];
}

// dispatch calls a page's handler for an event.
function dispatch(node, event, detail) {
  const name = node.attrs['bind' + event] || node.attrs['catch' + event];
  if (!name) {
    throw new Error(`<${node.tag}> has no handler for ${event}`);
  }
  const dataset = {};
  for (const [key, value] of Object.entries(node.attrs)) {
    if (key.startsWith('data-')) {
      dataset[key.slice(5)] = value;
    }
  }
  running.page[name]({ type: event, detail, currentTarget: { dataset }, target: { dataset } });
}

// settle waits until WeChat has answered all calls.
async function settle() {
  do {
    await new Promise((resolve) => setTimeout(resolve, 2));
  } while (calls.size > 0);
}

// screen returns what the person sees, and what the mini program has done.
function screen() {
  const seen = { running: running !== null, title: '', text: '', buttons: [], inputs: [], html: '', shareHidden: false, clipboard: '', requests, faults, storage: { ...storage } };
  requests = [];
  faults = [];
  if (!running) {
    return seen;
  }
  const nodes = shown();
  seen.title = running.title;
  seen.shareHidden = running.shareHidden && !running.page.onShareAppMessage && !running.page.onShareTimeline;
  seen.clipboard = running.clipboard;
  seen.html = html.page(nodes, fs.readFileSync(path.join(MINIPROGRAM, 'app.wxss'), 'utf8'), LANGUAGE.slice(0, 2), running.title);
  seen.text = nodes.map(wxml.textOf).filter(Boolean).join('\n');
  wxml.walk(nodes, (node) => {
    if (node.tag === 'button') {
      seen.buttons.push({ text: wxml.textOf(node), disabled: Boolean(node.attrs.disabled), openType: node.attrs['open-type'] || '' });
    } else if (node.tag === 'input') {
      seen.inputs.push({ label: node.attrs['aria-label'] || '', value: String(node.attrs.value), type: node.attrs.type || 'text' });
    }
  });
  return seen;
}

// The person's actions, and WeChat's.
const commands = {
  // open opens a page of the mini program, from a scan, a card or the list of mini programs.
  open({ scene, page, query }) {
    if (running) {
      commands.close();
    }
    start(scene, page, query || {});
  },
  see() {},
  tap({ label, times }) {
    const button = find(['button'], label);
    if (button.attrs.disabled) {
      throw new Error(`the button "${label}" is disabled`);
    }
    for (let i = 0; i < (times || 1); i++) {
      dispatch(button, 'tap', {});
    }
  },
  // number taps a button that asks for the phone number, and answers WeChat's question.
  async number({ label, phone, error }) {
    const button = find(['button'], label);
    if (button.attrs.disabled) {
      throw new Error(`the button "${label}" is disabled`);
    }
    if (button.attrs['open-type'] !== 'getPhoneNumber') {
      throw new Error(`the button "${label}" does not ask for the phone number`);
    }
    const detail = phone ? { errMsg: 'getPhoneNumber:ok', code: await get(`${CODES}/number?phone=${phone}`) } : error;
    dispatch(button, 'getphonenumber', detail);
  },
  type({ label, text }) {
    dispatch(find(['input'], label), 'input', { value: text });
  },
  // hide puts the mini program into the background, where WeChat interrupts its requests.
  hide() {
    running.hidden = true;
    running.page.onHide?.();
    running.app.onHide?.({});
    commands.interrupt();
  },
  // interrupt ends the running requests, as WeChat does with those of a hidden mini program.
  interrupt() {
    running.aborts.splice(0).forEach((abort) => abort());
  },
  show() {
    running.hidden = false;
    running.app.onShow?.({ scene: running.scene });
    running.page.onShow?.();
  },
  // close leaves the page.
  close() {
    for (const entry of running.stack.splice(0)) {
      entry.page.onUnload?.();
    }
    running = null;
  },
  // set changes what the phone does next.
  set({ camera: found, login, storage: items }) {
    if (found !== undefined) {
      camera = found;
    }
    if (login !== undefined) {
      refuses.login = login === 'fails';
    }
    Object.assign(storage, items);
  },
};

async function main() {
  process.on('uncaughtException', (e) => faults.push('uncaught: ' + e.stack));
  process.on('unhandledRejection', (e) => faults.push('unhandled rejection: ' + (e && e.stack || JSON.stringify(e))));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      await commands[command.do](command);
      if (!command.busy) {
        await settle();
      }
      answer = screen();
    } catch (e) {
      answer = { error: e.stack };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
