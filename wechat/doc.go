// Package wechat is a client for WeChat's web authorization: it builds the
// links that send a person to WeChat, exchanges the code that they come back
// with, and asks WeChat who they are. It serves official accounts, which
// authorize inside WeChat's own browser, and website applications of the WeChat
// Open Platform, which show a QR code on a desktop.
//
// # Guarantees
//
//   - No error and no log line holds the account's secret, a code or a token:
//     not when a connection fails, and not when WeChat's message repeats the
//     request. [Account] and [Token] print without theirs.
//   - A call ends: after 5 seconds, or the time limit of the [http.Client] it
//     was given, retries included. At most 1 MiB of an answer is read.
//   - A redirect is never followed, so a secret goes to one host only. The API
//     is reached over https; plain http is for simulators on a loopback host.
//   - An answer counts only when it is whole: an answer without an openid, with
//     another person's openid, with another status than 200, or one that isn't
//     JSON is an error that matches [ErrResponse].
//   - Only errcode -1, by which WeChat says that it did not process a call, is
//     retried: twice, shortly after.
//   - A [Client] may be used by any number of goroutines.
//
// # Usage
//
// Send the person to [Client.AuthorizeURL] with a state that is bound to their
// browser. On the callback check that state, then:
//
//	token, err := client.Exchange(ctx, r.URL.Query().Get("code"))
//	switch {
//	case errors.Is(err, wechat.ErrCodeUsed):
//		// WeChat delivered the callback twice; the other request has the answer.
//	case errors.Is(err, wechat.ErrCodeInvalid):
//		// Let them start again.
//	case err != nil:
//		// WeChat can't be reached, is busy, or the account isn't set up right.
//	}
//
// A callback that has a state and no code, or the code "authdeny", is a refusal.
// One person has a different openid at each AppID; only the unionid, where there
// is one, is the same. A token whose SnapshotUser is set belongs to nobody:
// never create or bind an account for it.
//
// The package follows WeChat's documents "网页授权" (Official Accounts),
// "网站应用微信登录开发指南" (Open Platform) and "全局返回码" (return codes).
package wechat
