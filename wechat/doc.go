// Package wechat is a client for WeChat's web authorization. It builds the links that
// send a person to WeChat, exchanges the code that WeChat returns, and reads the
// person's profile. It serves official accounts, which authorize inside WeChat's own
// browser, and website applications of the WeChat Open Platform, which show a QR code
// on a desktop.
//
// # Guarantees
//
//   - No error and no log line contains the account's secret, a code or a token, even
//     if a connection fails or WeChat's message repeats the request. [Account] and
//     [Token] print without theirs.
//   - A call ends after 5 seconds, or after the Timeout of the given [http.Client],
//     including retries. It reads at most 1 MiB of a response.
//   - Redirects are never followed, so a secret goes to one host only. The API is
//     called over https; plain http is allowed for simulators on a loopback host.
//   - A response must be complete. One that is not JSON, has another status than 200,
//     has no openid or has another person's openid is an error that matches
//     [ErrResponse].
//   - Only data that determines the identity makes a response invalid. Unescaped
//     control characters become spaces, and a field that no login needs may have any
//     type. [Token] and [UserInfo] list the tolerated faults as Oddities.
//   - Only errcode -1 is retried, twice, after a short pause. It means that WeChat did
//     not process the call.
//   - A [Client] may be used by any number of goroutines.
//
// # Usage
//
// Send the person to [Client.AuthorizeURL], with a state that is bound to their
// browser. In the callback, check the state and then:
//
//	token, err := client.Exchange(ctx, r.URL.Query().Get("code"))
//	switch {
//	case errors.Is(err, wechat.ErrCodeUsed):
//		// WeChat delivered the callback twice; the other request has the token.
//	case errors.Is(err, wechat.ErrCodeInvalid):
//		// The person has to start again.
//	case err != nil:
//		// WeChat is unreachable or busy, or the account is misconfigured.
//	}
//
// A callback with a state and without a code, or with the code "authdeny", means that
// the person refused. A person has a different openid at each AppID; the unionid, if
// there is one, is the same. A token with SnapshotUser identifies no person: never
// create or bind an account for it.
//
// The package follows WeChat's documents "网页授权" (Official Accounts),
// "网站应用微信登录开发指南" (Open Platform) and "全局返回码" (return codes).
package wechat
