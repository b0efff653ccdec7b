// Checks the files of the mini program in the directory of the first argument without
// running it, and prints each fault on a line.
'use strict';

const fs = require('fs');
const path = require('path');
const vm = require('vm');
const wxml = require('./wxml');

const root = process.argv[2];
const faults = [];
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const check = (holds, fault) => { if (!holds) { faults.push(fault); } };

// files returns the names of all files below a directory.
function files(directory) {
  return fs.readdirSync(path.join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(directory, entry.name);
    return entry.isDirectory() ? files(name) : [name];
  });
}

const all = files('.');
const settings = {};
for (const file of all.filter((name) => name.endsWith('.json'))) {
  try {
    settings[file] = JSON.parse(read(file));
  } catch (e) {
    faults.push(`${file}: ${e.message}`);
  }
}

// load runs a file, and returns its exports or the definition of its page.
function load(file) {
  const module = { exports: {} };
  let page = null;
  const require = (name) => load(path.posix.join(path.posix.dirname(file), name) + '.js');
  const context = vm.createContext({ module, require, App() {}, Page: (definition) => { page = definition; }, wx: {} });
  vm.runInContext(`(function () {'use strict';${read(file)}\n})()`, context, { filename: file });
  return page || module.exports;
}

// The texts: each in both languages, with the same values in it.
const { zh, en } = load('lib/texts.js');
const shape = (text) => JSON.stringify(Array.isArray(text) ? ['array', text.length] : (String(text).match(/\{\w+\}/g) || []).sort());
for (const key of new Set([...Object.keys(zh), ...Object.keys(en)])) {
  check(key in zh && key in en, `texts: ${key} is not in both languages`);
  check(shape(zh[key]) === shape(en[key]), `texts: ${key} differs in its parts or values`);
  check([].concat(zh[key], en[key]).every((text) => text), `texts: ${key} is empty`);
  check(![].concat(en[key]).some((text) => /[\u3000-\u9fff\uff00-\uffef]/.test(text)), `texts: the English ${key} is not English`);
  check(key === 'colon' || [].concat(zh[key]).some((text) => /[\u4e00-\u9fff]/.test(text)), `texts: the Chinese ${key} is not Chinese`);
}
const scripts = all.filter((name) => /\.(js|wxml)$/.test(name)).map(read).join('\n').replace(/^  \w+: ['[].*$/mg, '');
for (const key of Object.keys(en)) {
  check(key.startsWith('error_') || scripts.includes(key), `texts: ${key} is not used`);
}

// The pages: files, data and handlers.
const pages = settings['app.json'].pages;
for (const page of pages) {
  for (const kind of ['.js', '.json', '.wxml']) {
    check(all.includes(page + kind), `${page}${kind} is missing`);
  }
  const definition = load(page + '.js');
  for (const name of ['onShareAppMessage', 'onShareTimeline', 'onAddToFavorites']) {
    check(!(name in definition), `${page}.js: ${name} lets people pass the page on`);
  }
  const tree = wxml.parse(read(page + '.wxml'));
  const used = new Set();
  const visit = (nodes, local) => wxml.walk(nodes, (node) => {
    const attrs = node.attrs || {};
    for (const [name, value] of Object.entries(attrs)) {
      if (/^(bind|catch)/.test(name)) {
        check(typeof definition[value] === 'function', `${page}.wxml: the page has no handler ${value}`);
        used.add(value);
      }
    }
    for (const text of [node.text || '', ...Object.values(attrs)]) {
      for (const expression of wxml.expressions(text)) {
        const bare = expression.replace(/'[^']*'/g, '');
        for (const [, word, member] of bare.matchAll(/(?<![.\w])([a-zA-Z_]\w*)(?:\.(\w+))?/g)) {
          if (['true', 'false', 'item', 'index'].includes(word)) {
            continue;
          }
          check(word in definition.data, `${page}.wxml: the page's data has no ${word}`);
          check(word !== 't' || member in en, `${page}.wxml: there is no text ${member}`);
        }
      }
    }
    if (node.tag === 'button') {
      check(/(^|\s)action(\s|$)/.test(attrs.class || ''), `${page}.wxml: a button is not of the class action`);
      check(attrs['open-type'] !== 'share', `${page}.wxml: a button shares the page`);
    }
    if (node.tag === 'input') {
      check(attrs['aria-label'], `${page}.wxml: an input has no aria-label`);
    }
  });
  visit(tree.children);
  for (const name of Object.keys(definition).filter((name) => /^(tap|type|got)/.test(name))) {
    check(used.has(name), `${page}.js: nothing calls ${name}`);
  }
}
for (const file of all.filter((name) => /^pages\/.*\.wxml$/.test(name))) {
  check(pages.includes(file.slice(0, -5)), `app.json does not list ${file}`);
}

// Nothing but config.js names a server, and nothing reads an address out of a code.
for (const file of all.filter((name) => /\.(js|wxml|wxss)$/.test(name) && name !== 'config.js')) {
  check(!/https?:\/\//.test(read(file)), `${file} names a server`);
}

// The looks: each color of the theme, and each color variable, is light and dark.
const theme = settings['theme.json'];
check(JSON.stringify(Object.keys(theme.light)) === JSON.stringify(Object.keys(theme.dark)), 'theme.json: light and dark differ in their names');
for (const [name, value] of Object.entries(settings['app.json'].window)) {
  check(!String(value).startsWith('@') || value.slice(1) in theme.light, `app.json: ${name} is not in theme.json`);
}
const style = read('app.wxss');
const colors = [...style.matchAll(/(--[a-z]+): #[0-9a-f]+/g)].map((m) => m[1]);
for (const color of new Set(colors)) {
  check(colors.filter((name) => name === color).length === 2, `app.wxss: ${color} is not in light and dark`);
}
for (const [, color] of style.matchAll(/var\((--[a-z]+)\)/g)) {
  check(colors.includes(color), `app.wxss: there is no color ${color}`);
}
check(!/#[0-9a-f]{3,6}/.test(style.replace(/--[a-z]+: #[0-9a-f]+/g, '')), 'app.wxss: a color is not a variable');
const height = /\.action \{[^}]*min-height: (\d+)px/.exec(style);
check(height && Number(height[1]) >= 44, 'app.wxss: buttons are less than 44 pixels high');

process.stdout.write(faults.map((fault) => fault + '\n').join(''));
