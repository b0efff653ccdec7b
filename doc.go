// Package scangate lets people log in to a web application by scanning a QR code
// with WeChat (微信扫码登录).
//
// # Guarantees
//
//   - A browser is logged in only as a person for whom WeChat vouches. If another
//     device proves that person's identity, its owner must approve first.
//   - A login is one record, and every step of it is a compare-and-set. A code is
//     exchanged once, even if WeChat delivers a callback twice, and an approval makes
//     one session.
//   - Nothing in a request decides who the user is: not its Host, its address, its
//     User-Agent, nor an identity that it names.
//   - The failure of a store neither logs a person in nor logs one out.
//   - No secret, code, token, state or cookie is written to a log or an error.
//
// SECURITY.md lists the limits of these guarantees.
//
// # Usage
//
// A [Gate] is both the handler to mount and the middleware:
//
//	gate, err := scangate.New(scangate.Config{
//		PublicURL:       "https://app.example.com",
//		OfficialAccount: wechat.Account{AppID: "wx...", Secret: os.Getenv("WECHAT_SECRET")},
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux.Handle("/wechat/", gate)                        // login page, QR code, callback, logout
//	mux.Handle("/account", gate.RequireWeChat(account)) // account calls UserFromContext
//
// An application sets [Config.Users] to its own table of users, on which package sqlstore
// works, or implements [UserStore]. It shares its session manager by [Session.Manager].
//
// # The flow
//
// A desktop browser opens a gated page and is redirected to the login page, which shows
// a QR code. The code contains a URL of the gate's. A phone opens that URL in WeChat,
// and the gate redirects it to WeChat's authorization page, which redirects it back
// with a code. The gate exchanges the code for the openid, looks that up in the
// UserStore, and asks the person on the phone to approve the login of that desktop
// browser. After the approval the waiting page shows whose account it is. A tap finishes
// the login, and the session begins. The page asks for no tap if the account is that of
// the browser's last user, who has not logged out, and the login is not a fresh one.
//
// With [ScanFollow] and [ScanMessage] the person proves their identity in the chat with the
// official account: they scan the account's code, or send it digits that the login page
// shows. The account asks in the chat whether to log that browser in. No page is opened
// unless the person has more to do, such as to prove a phone number.
//
// With [ScanMiniProgram] and [ScanMiniProgramCode] a scan opens the application's mini program,
// which asks the person on a page of its own; see "Mini programs".
//
// WeChat's own browser proves its identity itself, and so does any browser if a website
// application of the Open Platform is configured. These logins need no second device.
//
// # Routes
//
// Below [Config.BasePath], which is "/wechat" by default:
//
//	GET  login?return_to=/path    the login page, or a redirect to WeChat
//	                              with=web, website, follow, message or mini: that way, if it is configured
//	                              fresh=1: proves again who the logged-in user is (see below)
//	POST login                    the same for scripts: JSON {"return_to", "with", "fresh"} (see below)
//	GET  login/{id}/qr.svg, .png  the QR code; only the SVG has a mark in its center
//	GET  login/{id}/state?seen=   long poll: {"state": "waiting", "scanned", "approved", "denied", "rejected" or "expired"}; wait= seconds (see below)
//	GET  login/{id}/account       the account, after the approval: JSON (see below)
//	POST login/{id}/renew         ends the login and begins a new one: 303, or JSON as POST login
//	POST login/{id}/finish        begins the session; 303 to return_to, or JSON {"return_to"}; answer=deny refuses it
//	GET  scan/{id}                the URL in the QR code; ticket=: the link in a chat, whose page posts it back
//	GET  callback                 WeChat redirects here
//	GET  profile/{id}             asks a new person for their user info; POST: "not now", or "I am new here"
//	GET  phone/{id}               asks for a phone number; POST phone/{id}/code: phone=; POST phone/{id}: code=
//	GET  terms/{id}               asks a new person to agree to the terms; POST agree= the value of the box
//	GET  resume/{id}              continues after the application's own registration, see Pending
//	GET  confirm/{id}             asks for approval; POST answer=approve or deny, and agree= the value of its box, if any
//	GET  link?return_to=/path     adds a WeChat identity to the logged-in user; POST: as login
//	POST unlink                   appid=, openid=, return_to=: removes an identity; the last one only with Config.CurrentUser
//	GET  phone?return_to=/path    proves a new phone number of the logged-in user
//	POST logout                   ends the session; everywhere=true: all sessions of the user
//	GET  me                       the logged-in user: JSON {"id", "nickname", "avatar_url", "phone_bound", "logged_in_at"}
//	POST mini/{id}                the mini program has scanned the code: JSON {"code"} (see below)
//	POST mini/{id}/phone          JSON {"token", "code"}: a phone number; then {"token", "sms"}
//	POST mini/{id}/answer         JSON {"token", "answer", "number", "agree"}: answer is "approve" or "deny"
//	POST mini/login               logs the mini program itself in: JSON {"code"}
//	GET  push, POST push          WeChat's servers send the official account's messages here
//	GET  assets/{name}            the style and the script of the pages
//	GET  assets/login.js          defines the element scangate-login; assets/login.json?lang= has its texts
//
// Every page has the parameter lang, which chooses its language, and that of the browser's
// pages in the next hour, out of [Pages.Languages].
//
// POST login and POST link answer 201 with {"id", "scan_url", "qr_url", "state_url",
// "renew_url", "account_url", "finish_url", "match_number", "expires_at", "expires_in",
// "other_ways", "way", "digits", "simulated"}, or with {"redirect_url"} if the browser itself
// has to go to WeChat. scan_url is a complete URL, for a QR code that the application draws;
// the others are paths on this server. way is "follow" or "message" if the person approves
// the login in the chat with the official account, "mini" for a mini program, and otherwise
// missing. digits are present if the person sends them to that account; qr_url and scan_url
// are then empty unless [Push].AccountQR is set. simulated is true if WeChat is simulated, so
// that a click on the account's code may open scan_url. expires_at (RFC 3339) is when the
// same POST returns a new login, unless this one was scanned by then. expires_in is the same
// in seconds from now, for browsers whose clock is wrong. other_ways lists {"way", "url"} for
// each other way that is configured: url is the page where the same login begins, and way is
// what a script posts as "with". return_to is a path on this server or, from scripts, a URL
// that begins with PublicURL, such as location.href. It may also be a URL of another host
// that [Config.AllowReturnTo] allows. Any other value means "/" on pages and in forms, and is
// an error in JSON.
//
// The state route answers when the state differs from seen, and after wait seconds at the
// latest: from 1 to 25, and 25 without the parameter. Ask for less if a proxy ends requests
// earlier. If no answer comes within some seconds after wait, the server is gone: end the
// request and ask again. The login page does so after five seconds, so its requests last
// 30 seconds at most.
//
// The account route answers {"nickname", "avatar_url", "phone_tail", "new_account",
// "auto_finish"} after the approval, and with the problem "not_approved" before. Show the
// account and let the person confirm it before you finish the login: another person may
// have scanned the code. Only if auto_finish is true, because the account is that of the
// browser's last user, no tap is needed. phone_tail has the last digits of the account's
// number. For a link, nickname is that of the WeChat, and "target_name" that of the account.
//
// The state is "waiting" until WeChat has vouched for a person, and "rejected" if that
// person cannot complete the login. Their reason is one of these: they are not registered;
// their user is disabled; their sessions were ended after the login began; their phone
// number is unknown, or belongs to an account with another WeChat. A WeChat to add is
// rejected if it belongs to another account.
//
// # Fresh logins
//
// Adding or removing a WeChat identity, and proving another phone number, begin only within
// 15 minutes of the user's login. After that, pages redirect to login?fresh=1, which leads
// back, and scripts get the problem "fresh_login_required" with a login_url. Such a login
// is for the user who is logged in: another person's WeChat is refused with 403, the state
// is "rejected", and the session stays as it was. At its end the session has a new token
// and a new time. Without a session it is a usual login. If [Config.CurrentUser] is set,
// it decides alone about link and unlink.
//
// # Mini programs
//
// The page that the mini program opens for a code reads the login's ID: the last element of
// the URL in q, or scene. It sends a fresh code of wx.login to mini/{id}, and gets {"token",
// "step", "app", "browser", "system", "place", "number"}. place is the address if there is
// no place. With [Config.MatchNumber] there is no number, and the person types it. Another
// person's code gets 409. A fresh code of the same person gets another token. The token goes
// into each further request for the login. Each answer has the next step:
//
//	terms     show "terms" with "text" and "url"; post answer "approve" with agree, the value of "agreement"
//	phone     post to mini/{id}/phone the code of a getPhoneNumber button, or phone, a typed number
//	code      a one-time code was sent to "phone", which is masked: post it as sms, or the token alone for another one after "resend_in" seconds
//	register  the application has to register the person, as at "register_url"; then post the answer again
//	confirm   ask the person, and post answer, with number if it is typed, and with agree if there is an "agreement"
//	done      "state" is "approved" or "denied"
//
// An application's own registration reads the login and the token in a posted form; see
// [Gate.Pending]. A login that adds a WeChat to an account has "purpose": "link" and, if the
// account has a name, "target_name".
//
// mini/login answers {"session", "cookie", "expires_at"}. The mini program sends the header
// Cookie with the cookie's name and the session in its requests to the application. If the
// person has more to do, the answer has the login's "id", the "token" and the "step" instead,
// and the last step's answer has the session.
//
// These routes accept application/json only, read no cookies and set none. Errors are problems
// (see below) with the status 400, 403, 404, 409, 415, 429, 502 or 503: 403 with "restart" if
// WeChat rejects a code, 409 for a login that is over or taken, 502 if WeChat fails.
//
// # One tag
//
// The script assets/login.js defines the element <scangate-login return-to="/path">, the
// card of the login page in a page of the application. docs/pages.md describes it.
//
// # Scripts
//
// Forms may also be posted as JSON. The forms of a login contain a token, which is on
// the page. Scripts receive JSON, and errors as application/problem+json (RFC 9457) with
// the members code and detail. A script is a client that sends JSON, accepts it, or uses
// fetch without an Accept of its own (Sec-Fetch-Mode, which Safari sends since 16.4).
//
// # Front ends on other origins
//
// Scripts of [Config.TrustedOrigins] may call POST login, state, account, renew, finish, me
// and logout with cookies (credentials: "include"), and no other route. Their POSTs have the
// Content-Type application/json, even without a body. The paths in the answers are relative to
// PublicURL, and so is return_to, unless it is a whole URL. The picture at qr_url loads in an
// <img>. The front end must show what the account route returns before it finishes a login.
//
// # Sessions
//
// Sessions are kept by scs (github.com/alexedwards/scs/v2). The gate loads a session
// itself unless an outer LoadAndSave has. Of several cookies of the session's name it
// then takes the one whose session is live. LoadAndSave takes the first, and the gate
// ignores that one if another cookie has a live session of another user. A session counts
// only at the host and the base path of its login. An application that wraps its whole mux
// in LoadAndSave should mount the gate outside of it, and must do so if it sets
// IdleTimeout: scs would save the session again at the end of a long poll, and could revive
// one that was ended meanwhile.
package scangate
