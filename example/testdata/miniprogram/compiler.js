// WeChat's own compilers of WXML and WXSS, wcc and wcsc, which npm's package
// miniprogram-compiler has. SCANGATE_WCC is the directory with both.
'use strict';

const { spawnSync } = require('child_process');
const path = require('path');

// run runs a compiler in the mini program's directory, and returns what it prints.
function run(name, root, args) {
  const done = spawnSync(path.join(process.env.SCANGATE_WCC, name), args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 24 });
  if (done.status !== 0) {
    throw done.error || new Error(`${name}: ${done.stdout}${done.stderr}`);
  }
  return done.stdout;
}

// compile returns a function that returns what WeChat shows of a page for its data, in the
// form of wxml.render.
function compile(root, pages) {
  run('wcsc', root, ['-db', '-pc', '0', 'app.wxss']);
  const source = run('wcc', root, ['-d', '-cc', '0', ...pages.map((page) => page + '.wxml'), '-gn', '$gwx']);
  const $gwx = new Function('window', source + '; return $gwx;')({});
  return (page, data) => $gwx(page + '.wxml')(data).children.map(node);
}

// node returns a compiled node in the form of wxml.render.
function node(compiled) {
  if (typeof compiled !== 'object') {
    return { text: String(compiled) };
  }
  return { tag: compiled.tag.replace(/^wx-/, ''), attrs: compiled.attr || {}, children: compiled.children.flatMap(flat) };
}

// flat returns a node, or the nodes of a block.
function flat(compiled) {
  return compiled.tag === 'virtual' ? compiled.children.flatMap(flat) : [node(compiled)];
}

// comparable returns nodes as a text. The compiler writes some names in camel case.
function comparable(nodes) {
  const camel = (name) => (/^(data-|bind|catch)/.test(name) ? name : name.replace(/-([a-z])/g, (all, letter) => letter.toUpperCase()));
  const plain = (n) => (n.text !== undefined ? n.text : {
    tag: n.tag, attrs: Object.entries(n.attrs).map(([name, value]) => [camel(name), value]).sort(), children: n.children.map(plain),
  });
  return JSON.stringify(nodes.map(plain));
}

module.exports = { compile, comparable };
