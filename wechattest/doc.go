// Package wechattest is a simulated WeChat: the pages that people see, the API
// that servers call, people with phones, and everything that goes wrong with
// them. Applications use it to test a login, and to run one with no account, no
// phone and no network.
//
// # In a test
//
// [NewServer] listens on a loopback address, and [NewStrict] together with
// [Transport] does without sockets, which suits testing/synctest. Both fail the
// test when the application breaks WeChat's protocol, with a sentence that says
// how. A [Phone] is WeChat's browser in somebody's hand:
//
//	server := wechattest.NewServer(t, wechattest.App{Account: account})
//	phone := server.Phone("lin", nil, server.URL)
//	resp, err := phone.Open(ctx, loginURL) // silent, or WeChat's consent page
//	resp, err = phone.Tap(ctx, resp, wechattest.Allow)
//
// [WeChat.LogIn] logs the client of an application's own tests in, in one line.
// [WeChat.Approve] and [WeChat.Refuse] do without a browser. [WeChat.Fail] makes
// calls fail, hang and lie; [WeChat.FastForward] and [WeChat.Expire] make time
// pass; [WeChat.DeliverTwice] delivers callbacks twice, as WeChat sometimes does.
//
// # In a program
//
// [New] returns an [http.Handler] for both of WeChat's hosts. It serves, below
// its root:
//
//	/connect/oauth2/authorize   an official account's authorization page
//	/connect/qrconnect          a website application's QR code page
//	/sns/oauth2/access_token    exchanges a code
//	/sns/oauth2/refresh_token   refreshes a token
//	/sns/auth                   verifies a token
//	/sns/userinfo               says who somebody is
//
// The pages work without script. What a tap on them does is a GET of the same
// address with a parameter added: [PersonParam] says whose phone it is, empty to
// be asked, and [AnswerParam] what they [Answer].
//
// Unlike WeChat it doesn't ask which browser it talks to, its QR code isn't
// there to be scanned, and #wechat_redirect never reaches a server; for that
// there is [CheckAuthorizeURL], which a [Phone] applies by itself.
//
// The behavior follows WeChat's documents "网页授权" (Official Accounts) and
// "网站应用微信登录开发指南" (Open Platform).
package wechattest
