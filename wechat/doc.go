// Package wechat is a client for the ways in which WeChat identifies a person. For web
// authorization it builds the links that send a person to WeChat, exchanges the code that
// WeChat returns, and reads the person's profile. It serves official accounts, which
// authorize inside WeChat's own browser, and website applications of the WeChat Open
// Platform, which show a QR code on a desktop.
//
// For accounts with followers, a [Cipher] verifies the messages and events that WeChat
// pushes, and encrypts the replies. [Client.CreateQRCode] makes the codes to scan. For mini
// programs, [Client.SessionByCode] exchanges the code of wx.login.
//
// # Guarantees
//
//   - No error and no log line contains the account's secret, a code or a token, even
//     if a connection fails or WeChat's message repeats the request. [Account], [Token],
//     [AccountToken] and [CipherConfig] print without theirs.
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
//     not process the call. A call whose account token WeChat refuses is repeated once,
//     with a new token.
//   - The account's token is never refreshed by force, so a client does not disturb the
//     account's other programs.
//   - A message is read after its signature is verified, and its signature covers all that
//     is read. All failures of that have one error. A document that two parsers could read
//     in different ways is refused.
//   - A [Client] and a [Cipher] may be used by any number of goroutines.
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
// # Messages and events
//
// WeChat pushes a message to the account's server by POST, and repeats it if the answer
// takes more than 5 seconds. Choose the encrypted mode ("安全模式") in WeChat's console. Only
// there does the signature cover the message.
//
//	push, err := cipher.Open(r.URL.Query(), body)
//	if err != nil {
//		http.Error(w, "forbidden", http.StatusForbidden)
//		return
//	}
//	if scene, ok := push.Message.Scene(); ok {
//		// The person push.Message.FromUserName scanned the code with this scene.
//	}
//	w.Write(push.Reply(wechat.Reply{Text: "Welcome!"}))
//
// A scan proves that this openid scanned that code. It does not prove that the person looks
// at the screen that shows it, so ask them before you log a browser in.
//
// The package follows WeChat's documents "网页授权" (Official Accounts),
// "网站应用微信登录开发指南" (Open Platform), "消息加解密说明" (pushes) and "全局返回码" (return
// codes).
package wechat
