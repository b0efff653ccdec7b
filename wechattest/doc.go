// Package wechattest simulates the part of WeChat that logins use: its pages, its API, its
// messages and events, its users' phones, and its failures. Use it to test an
// application's login, or to run the login without a WeChat account, a phone or a network.
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
// One call logs in the HTTP client of an application's own test. Each way has a function:
//
//   - [WeChat.LogIn]: inside of WeChat, or by a website application's page
//   - [WeChat.LogInByScan]: the gate's code, and approval on the gate's page
//   - [WeChat.LogInByFollow]: the account's code, and the number in the chat
//   - [WeChat.LogInByMessage]: digits that are sent to the account
//
// [WeChat.Approve] and [WeChat.Refuse] answer an authorization link without
// a browser. [WeChat.Fail] makes API calls fail, hang or return altered answers.
// [WeChat.FastForward] and [WeChat.Expire] make codes and tokens expire.
// [WeChat.DeliverTwice] delivers callbacks twice, as WeChat sometimes does.
// [WeChat.Quota] and [App.IPList] limit calls. [WeChat.ServeTLS] serves clients whose hosts
// are built in, in Go and in other languages.
//
// # Messages and events
//
// [WeChat.SetPush] makes the application's server the one that receives an account's
// messages and events. A [Phone] follows the account, scans its codes, types texts, and
// reads the replies in the chat:
//
//	server.SetPush(account.AppID, wechattest.PushServer{URL: pushURL, Token: token, EncodingAESKey: key})
//	err := phone.Follow(ctx, code.URL) // the code of wechat.Client.CreateQRCode
//	err = phone.Type(ctx, account.AppID, "42")
//	resp, err := phone.TapLink(ctx, account.AppID)
//
// A push that gets no answer within 5 seconds is repeated after 5, 10 and 15 seconds, which
// pass at once in a bubble of testing/synctest. A [Pusher] delivers single messages, also
// several times, and its requests can be changed before they are sent. The plain and the
// compatible mode are there for tests of servers that must refuse them.
//
// [Phone.LoginCode] and [Phone.NumberCode] stand for a mini program on the phone.
// [Phone.OpenLink], [Phone.OpenPicture] and [Phone.OpenCard] open one, with the scene value
// that distinguishes a scan from a picture or a card. [WeChat.LogInByMiniProgram] logs in a
// test's client with one call.
//
// # In a program
//
// [Serve] gives an application under development a simulated WeChat in one line.
//
// [New] returns an [http.Handler] for all of WeChat's hosts. It serves these
// paths:
//
//	/connect/oauth2/authorize   authorization page of an official account
//	/connect/qrconnect          QR code page of a website application
//	/sns/oauth2/access_token    exchanges a code for a token
//	/sns/oauth2/refresh_token   refreshes a token
//	/sns/auth                   verifies a token
//	/sns/userinfo               returns a user's profile
//	/sns/jscode2session         exchanges a mini program's code
//	/cgi-bin/stable_token       returns an account's own token
//	/cgi-bin/token              returns another one with each call
//	/cgi-bin/qrcode/create      creates a QR code with a scene
//	/cgi-bin/showqrcode         draws it
//	/cgi-bin/user/info          returns a follower's data
//	/wxa/business/getuserphonenumber  returns a phone number
//	/wxa/getwxacodeunlimit      draws a mini program's code
//
// After [WeChat.CodesAt], the codes of accounts lead to these pages, which show the chat of a
// person and an account:
//
//	/q/{code}                   a person scans a code with a scene
//	/r/{appid}                  a person scans an account's own code
//	/chat/{appid}               the chat
//
// The pages work without JavaScript. A tap is a GET of the same URL with one more
// parameter: [PersonParam] chooses the phone's owner, and an empty value shows
// the list of persons again; [AnswerParam] holds the [Answer].
//
// The simulator differs from WeChat in three ways. It accepts every browser. The QR
// code of its page cannot be scanned. It never receives the fragment #wechat_redirect,
// which browsers do not send; use [CheckAuthorizeURL] to check it. A [Phone] checks
// it in links to the authorization page by itself.
//
// Some clients use forms that WeChat accepts but does not document. The QR code page
// takes parameters in another order, any state or none, and a link without a fragment.
// The route that exchanges codes takes a POST of a form.
//
// The behavior follows WeChat's documents "网页授权" (Official Accounts),
// "网站应用微信登录开发指南" (Open Platform), "生成带参数的二维码", "消息加解密说明" and
// "小程序登录".
package wechattest
