// A reader of WXML: enough of it for the pages of example/miniprogram. It knows elements,
// attributes with {{expressions}}, wx:if, wx:elif, wx:else, wx:for and block. It refuses
// anything that it does not know.
'use strict';

const KNOWN = ['view', 'text', 'button', 'input', 'label', 'block', 'checkbox'];

// parse returns the root node of a WXML text. A node is { tag, attrs, children } or { text }.
function parse(source) {
  const root = { tag: 'block', attrs: {}, children: [] };
  const open = [root];
  const token = /<!--[^]*?-->|<\/([a-z-]+)\s*>|<([a-z-]+)((?:\s+[a-zA-Z:-]+(?:="[^"]*")?)*)\s*(\/?)>|([^<]+)|(<)/g;
  for (const [all, closed, tag, attrs, single, text, stray] of source.matchAll(token)) {
    const parent = open[open.length - 1];
    if (stray) {
      throw new Error('WXML: "<" begins no tag');
    } else if (closed) {
      if (parent.tag !== closed || open.length === 1) {
        throw new Error(`WXML: </${closed}> closes <${parent.tag}>`);
      }
      open.pop();
    } else if (tag) {
      if (!KNOWN.includes(tag)) {
        throw new Error(`WXML: <${tag}> is not known`);
      }
      const node = { tag, attrs: {}, children: [] };
      for (const [, name, value] of attrs.matchAll(/([a-zA-Z:-]+)(?:="([^"]*)")?/g)) {
        if (name in node.attrs) {
          throw new Error(`WXML: <${tag}> has two attributes ${name}`);
        }
        node.attrs[name] = value === undefined ? '{{true}}' : value;
      }
      parent.children.push(node);
      if (!single) {
        open.push(node);
      }
    } else if (text && text.trim() !== '') {
      parent.children.push({ text });
    } else if (!all) {
      break;
    }
  }
  if (open.length > 1) {
    throw new Error(`WXML: <${open[open.length - 1].tag}> is not closed`);
  }
  return root;
}

// expressions returns the expressions between {{ and }} in a text.
function expressions(text) {
  return [...text.matchAll(/\{\{([^]*?)\}\}/g)].map((m) => m[1].trim());
}

// evaluate returns the value of a text: that of its only expression, or a text.
function evaluate(text, scope) {
  const whole = /^\{\{([^]*?)\}\}$/.exec(text);
  if (whole) {
    return compute(whole[1], scope);
  }
  return text.replace(/\{\{([^]*?)\}\}/g, (all, expression) => {
    const value = compute(expression, scope);
    return value === undefined || value === null ? '' : String(value);
  });
}

// compute evaluates an expression. A name that is not in the data is undefined, as in WXML.
function compute(expression, scope) {
  const names = Object.keys(scope);
  const unknown = new Set(expression.replace(/'[^']*'/g, '').replace(/\.\s*[a-zA-Z_$][\w$]*/g, '').match(/[a-zA-Z_$][\w$]*/g) || []);
  for (const word of [...names, 'true', 'false', 'undefined', 'null', 'typeof']) {
    unknown.delete(word);
  }
  for (const name of unknown) {
    scope = { ...scope, [name]: undefined };
  }
  return new Function(...Object.keys(scope), `return (${expression});`)(...Object.values(scope));
}

// render returns the nodes that a page shows for its data: { tag, attrs, children } with
// values in place of expressions, or { text }.
function render(nodes, scope) {
  const shown = [];
  let chosen = true; // whether an earlier branch of the wx:if was taken
  for (const node of nodes) {
    if (node.text !== undefined) {
      shown.push({ text: evaluate(node.text, scope) });
      continue;
    }
    const { attrs } = node;
    if ('wx:for' in attrs) {
      const list = evaluate(attrs['wx:for'], scope) || [];
      const bare = { ...node, attrs: Object.fromEntries(Object.entries(attrs).filter(([name]) => !name.startsWith('wx:for'))) };
      list.forEach((item, index) => {
        shown.push(...render([bare], { ...scope, [attrs['wx:for-item'] || 'item']: item, [attrs['wx:for-index'] || 'index']: index }));
      });
      continue;
    }
    if ('wx:if' in attrs) {
      chosen = Boolean(evaluate(attrs['wx:if'], scope));
      if (!chosen) {
        continue;
      }
    } else if ('wx:elif' in attrs || 'wx:else' in attrs) {
      if (chosen) {
        continue;
      }
      chosen = 'wx:else' in attrs || Boolean(evaluate(attrs['wx:elif'], scope));
      if (!chosen) {
        continue;
      }
    }
    const children = render(node.children, scope);
    if (node.tag === 'block') {
      shown.push(...children);
      continue;
    }
    const values = {};
    for (const [name, value] of Object.entries(attrs)) {
      if (!name.startsWith('wx:')) {
        values[name] = evaluate(value, scope);
      }
    }
    shown.push({ tag: node.tag, attrs: values, children });
  }
  return shown;
}

// walk calls visit for each node, and for the nodes in it.
function walk(nodes, visit) {
  for (const node of nodes) {
    visit(node);
    walk(node.children || [], visit);
  }
}

// textOf returns the text in a node.
function textOf(node) {
  if (node.text !== undefined) {
    return node.text.replace(/\s+/g, ' ').trim();
  }
  return node.children.map(textOf).filter(Boolean).join(' ');
}

module.exports = { parse, render, walk, textOf, expressions };
