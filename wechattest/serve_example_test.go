package wechattest_test

import (
	"log"
	"net/http"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// An application under development: no account at WeChat, and no phone.
func ExampleServe() {
	weChat := wechattest.Serve("127.0.0.1:9000") // a simulated WeChat
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://127.0.0.1:8080",
		OfficialAccount: weChat.Account(),
		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}

// With a login that is confirmed in the chat, the simulator also sends the account's messages
// to the application.
func ExampleServe_chat() {
	weChat := wechattest.Serve("127.0.0.1:9000")
	account := weChat.Account()
	push := scangate.Push{
		Token:          "0123456789abcdef",
		EncodingAESKey: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
		AccountQR:      weChat.AccountCode(account.AppID),
	}
	weChat.SetPush(account.AppID, wechattest.PushServer{
		URL: "http://127.0.0.1:8080/wechat/push", Token: push.Token, EncodingAESKey: push.EncodingAESKey,
	})
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://127.0.0.1:8080",
		OfficialAccount: account,
		Scan:            scangate.ScanFollow,
		Push:            push,
		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
