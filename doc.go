// Package scangate lets people log in to a web application by scanning a QR code
// with WeChat (微信扫码登录).
//
// # What it promises
//
//   - Nobody is logged in but by an identity that WeChat vouched for, to the
//     browser that asked; where a phone proves the identity for another browser,
//     after its owner said yes there.
//   - A login is one record whose every step is a compare-and-set: codes are
//     exchanged once, also when WeChat delivers a callback twice, and an approval
//     makes one session.
//   - Nothing that a request claims decides who somebody is: not its Host, its
//     address, its User-Agent, nor any identity in it.
//   - A store that fails logs nobody in and nobody out.
//   - No secret, code, token, state or cookie is written to a log or an error.
//
// SECURITY.md says what it can't promise.
//
// # Usage
//
// A [Gate] is both the handler to mount and the middleware:
//
//	gate, err := scangate.New(scangate.Config{
//		PublicURL:       "https://app.example.com",
//		OfficialAccount: wechat.Account{AppID: "wx...", Secret: "..."},
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux.Handle("/wechat/", gate)                        // login page, QR code, callback, logout
//	mux.Handle("/account", gate.RequireWeChat(account)) // account reads UserFromContext
//
// An application implements [UserStore] on its own table of users and sets
// [Config.Users]; it shares its session manager by [Config.Sessions].
//
// # The flow
//
// A desktop browser opens a gated page and is sent to the login page, whose QR
// code is a URL of the gate's own. The phone opens it in WeChat, and the gate
// sends it to WeChat, which sends it back with a code. The gate exchanges the code
// for the openid, looks that up in the UserStore, and asks the person on the phone
// whether they mean to log in to that browser. Their yes lets the waiting page
// finish: the session begins there.
//
// Inside WeChat's own browser, and with a website application of the Open
// Platform, the browser that asks proves its identity itself, and no phone is
// asked.
//
// # Routes
//
// Below [Config.BasePath], "/wechat" unless set:
//
//	GET  login?return_to=/path    the login page, or straight to WeChat; with=website: WeChat's own page
//	POST login                    the same for scripts: JSON {"return_to", "with"} (see below)
//	GET  login/{id}/qr.svg, .png  the QR code
//	GET  login/{id}/state?seen=   long poll: {"state": "waiting", "scanned", "approved", "denied" or "expired"}
//	POST login/{id}/finish        the session; 303 to return_to, or JSON {"return_to"}
//	GET  scan/{id}                what the QR code holds
//	GET  callback                 where WeChat sends people back to
//	GET  profile/{id}             asks somebody new for their user info; POST: "not now"
//	GET  phone/{id}               asks for a phone number; POST phone/{id}/code: phone=; POST phone/{id}: code=
//	GET  resume/{id}              goes on after the application's own registration, see Pending
//	GET  confirm/{id}             asks the person; POST answer=approve or deny
//	GET  link?return_to=/path     adds a WeChat to the account of who is logged in; POST: as login
//	POST unlink                   appid=, openid=: removes one, but never the last
//	GET  phone?return_to=/path    proves a new number of who is logged in
//	POST logout                   everywhere=true: all sessions of the user
//	GET  me                       who is logged in: JSON {"id", "nickname", "avatar_url", "phone_bound", "logged_in_at"}
//
// POST login and POST link answer 201 with {"id", "scan_url", "qr_url", "state_url",
// "finish_url", "match_number", "expires_at", "website_url"}, or with
// {"redirect_url"} where the browser itself goes to WeChat. scan_url is a whole URL,
// for a QR code of one's own; the others are paths on this server. expires_at, of
// RFC 3339, is when the same POST gives a new code, as long as nobody has scanned
// this one. website_url is there only with both accounts. Forms may be posted as
// JSON too; those of an attempt carry its token, which stands in the page. Errors
// for programs are application/problem+json (RFC 9457) with the member code.
//
// # Sessions
//
// Sessions are scs's (github.com/alexedwards/scs/v2). The gate loads them itself
// where no outer LoadAndSave has. An application that wraps its whole mux in
// LoadAndSave and sets IdleTimeout has to mount the gate outside of that: scs saves
// such a session again at the end of each request, and so a browser that has been
// waiting could bring back one that was ended meanwhile.
package scangate
