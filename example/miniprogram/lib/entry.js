// How the login page was opened, and which login it is for.
const config = require('../config');

// WeChat's scene values ("场景值").
const SCANS = [1011, 1047]; // the camera scanned a QR code, or a mini program code
const PICTURES = [1012, 1013, 1048, 1049]; // WeChat recognized one in a picture

// fromURL returns the ID in the gate's scan URL, or '' for any other text. It compares
// characters and parses nothing, so that no second reading of the URL exists.
function fromURL(url) {
  const prefix = config.server + config.basePath + '/scan/';
  return url.slice(0, prefix.length) === prefix ? checked(url.slice(prefix.length)) : '';
}

// checked returns an ID of the gate's form, or ''.
function checked(id) {
  return /^[0-9A-Za-z_-]{22,32}$/.test(id) ? id : '';
}

// decode decodes a parameter once. WeChat encodes it once.
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch (e) {
    return ''; // a percent sign without two digits
  }
}

// read returns the kind of entry, 'scan', 'picture', 'foreign' or 'refused', and the ID of
// the login. Only the first two have one.
function read(query, scene) {
  const scanned = SCANS.indexOf(scene) >= 0;
  if (!scanned && PICTURES.indexOf(scene) < 0) {
    // A card, a share or a link: another person chose the login, and the screen that it
    // would let in is theirs.
    return { kind: 'refused', id: '' };
  }
  const hasURL = typeof query.q === 'string';
  const hasScene = typeof query.scene === 'string';
  let id = '';
  if (hasURL !== hasScene) { // WeChat never sends both
    id = hasURL ? fromURL(decode(query.q)) : checked(decode(query.scene));
  }
  return id === '' ? { kind: 'foreign', id } : { kind: scanned ? 'scan' : 'picture', id };
}

// scanAgain opens the camera, and returns a promise of the ID in the scanned code, or of ''
// if the person turned back. Pictures of the album are not accepted.
function scanAgain() {
  return new Promise((resolve) => {
    wx.scanCode({
      onlyFromCamera: true,
      success: (code) => resolve({ id: code.path ? fromPath(code.path) : fromURL(code.result || ''), scanned: true }),
      fail: () => resolve({ id: '', scanned: false }),
    });
  });
}

// fromPath returns the ID in the path of a scanned mini program code, or ''.
function fromPath(path) {
  const prefix = 'pages/login/login?scene=';
  return path.slice(0, prefix.length) === prefix ? checked(decode(path.slice(prefix.length))) : '';
}

module.exports = { read, scanAgain };
