// Package wechattest simulates WeChat's web authorization: its pages, its API,
// its users' phones, and its failures. Use it to test an application's login, or
// to run the login without a WeChat account, a phone or a network.
//
// # In a test
//
// [NewServer] listens on a loopback address. [NewStrict] together with
// [Transport] opens no socket, which suits testing/synctest. Both fail the test
// when the application breaks WeChat's protocol, and report the broken rule. A
// [Phone] is WeChat's built-in browser on one person's phone:
//
//	server := wechattest.NewServer(t, wechattest.App{Account: account})
//	phone := server.Phone("lin", nil, server.URL)
//	resp, err := phone.Open(ctx, loginURL) // silent, or WeChat's consent page
//	resp, err = phone.Tap(ctx, resp, wechattest.Allow)
//
// [WeChat.LogIn] logs in the HTTP client of an application's own test with one
// call. [WeChat.Approve] and [WeChat.Refuse] answer an authorization link without
// a browser. [WeChat.Fail] makes API calls fail, hang or return altered answers.
// [WeChat.FastForward] and [WeChat.Expire] make codes and tokens expire.
// [WeChat.DeliverTwice] delivers callbacks twice, as WeChat sometimes does.
//
// # In a program
//
// [New] returns an [http.Handler] for both of WeChat's hosts. It serves these
// paths:
//
//	/connect/oauth2/authorize   authorization page of an official account
//	/connect/qrconnect          QR code page of a website application
//	/sns/oauth2/access_token    exchanges a code for a token
//	/sns/oauth2/refresh_token   refreshes a token
//	/sns/auth                   verifies a token
//	/sns/userinfo               returns a user's profile
//
// The pages work without JavaScript. A tap is a GET of the same URL with one more
// parameter: [PersonParam] chooses the phone's owner, and an empty value shows
// the list of persons again; [AnswerParam] holds the [Answer].
//
// The simulator differs from WeChat in three ways. It accepts every browser. Its
// QR code cannot be scanned. It never receives the fragment #wechat_redirect,
// which browsers do not send; use [CheckAuthorizeURL] to check it. A [Phone] checks
// it in links to the authorization page by itself.
//
// Some clients use forms that WeChat accepts but does not document. The QR code page
// takes parameters in another order, any state or none, and a link without a fragment.
// The route that exchanges codes takes a POST of a form.
//
// The behavior follows WeChat's documents "网页授权" (Official Accounts) and
// "网站应用微信登录开发指南" (Open Platform).
package wechattest
