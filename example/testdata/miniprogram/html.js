// Draws a page of the mini program as HTML, so that a browser can measure its boxes and
// colors. The elements are stand-ins for WeChat's: a <view> becomes a <div>.
'use strict';

const wxml = require('./wxml');

const TAGS = { view: 'div', text: 'span', button: 'button', input: 'input', label: 'label' };

// escape returns a text as HTML.
function escape(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }[c]));
}

// element returns the HTML of a node.
function element(node) {
  if (node.text !== undefined) {
    return escape(node.text);
  }
  const attrs = [];
  for (const [name, value] of Object.entries(node.attrs)) {
    const html = name === 'aria-role' ? 'role' : name;
    if (['class', 'role', 'value', 'aria-label', 'aria-live', 'aria-checked', 'aria-hidden'].includes(html)) {
      attrs.push(` ${html}="${escape(value)}"`);
    } else if (name === 'disabled' && value) {
      attrs.push(' disabled');
    }
  }
  const heading = node.attrs['aria-role'] === 'heading' ? ' aria-level="1"' : '';
  const tag = TAGS[node.tag];
  const open = `<${tag}${attrs.join('')}${heading}>`;
  return node.tag === 'input' ? open : `${open}${node.children.map(element).join('')}</${tag}>`;
}

// page returns a document: the nodes with the style sheet of the mini program. WeChat's
// type selector "page" is the body.
function page(nodes, wxss, lang, title) {
  const style = wxss.replace(/(^|[\s{}])page(?=[\s{])/g, '$1body');
  return `<!DOCTYPE html><html lang="${lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<meta name="color-scheme" content="light dark"><title>${escape(title)}</title>` +
    `<style>body { margin: 0; } button, input { display: block; font: inherit; } ${style}</style><main>${nodes.map(element).join('')}</main></html>`;
}

module.exports = { page };
