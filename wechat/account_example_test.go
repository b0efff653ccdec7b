package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// The account's token authorizes other calls of WeChat's API. The client keeps it.
func ExampleClient_AccessToken() {
	client, _, simulator := simulated()
	for range 3 {
		token, err := client.AccessToken(context.Background())
		fmt.Println(token.AccessToken != "", time.Until(token.Expiry) > time.Hour, err)
	}
	fmt.Println(simulator.Calls(wechattest.OpStableToken), "call")
	// WeChat refuses servers whose address is not on the account's IP list.
	other, _, simulator := simulated()
	simulator.Fail(wechattest.OpStableToken, 1, wechattest.Fault{Errcode: 40164})
	_, err := other.AccessToken(context.Background())
	fmt.Println(errors.Is(err, wechat.ErrConfiguration))
	// Output:
	// true true <nil>
	// true true <nil>
	// true true <nil>
	// 1 call
	// true
}

// A page shows the code, and a scan of it is an event with the scene: see NewCipher.
func ExampleClient_CreateQRCode() {
	client, _, _ := simulated()
	code, err := client.CreateQRCode(context.Background(), "table7", 10*time.Minute)
	fmt.Println(code.URL[:len("http://weixin.qq.com/q/")], time.Until(code.Expiry) > 9*time.Minute, err)
	// Output: http://weixin.qq.com/q/ true <nil>
}

// WeChat draws a code too. A server that draws QRCode.URL itself needs no second request.
func ExampleClient_QRCodePictureURL() {
	client, _, _ := simulated()
	fmt.Println(client.QRCodePictureURL("gQH47joAAAAAAAAAASxodHRw=="))
	// Output: https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH47joAAAAAAAAAASxodHRw%3D%3D
}

// A follower has a unionid. A person who does not follow the account has none here.
func ExampleClient_UserInfoByOpenID() {
	phone, client := follow("lin")
	ctx := context.Background()
	openID := wechattest.New(nil).OpenID("lin", shop.AppID) // FromUserName of a message
	person, err := client.UserInfoByOpenID(ctx, openID)
	fmt.Println(person.Subscribed, person.UnionID != "", person.Scene, err)
	if err := phone.Unfollow(ctx, shop.AppID); err != nil {
		log.Fatal(err)
	}
	person, err = client.UserInfoByOpenID(ctx, openID)
	fmt.Println(person.Subscribed, person.UnionID != "", err)
	// Output:
	// true true table7 <nil>
	// false false <nil>
}

// miniProgram returns a client of a simulated mini program, and a person's phone.
func miniProgram() (*wechat.Client, *wechattest.Phone) {
	simulator := wechattest.New(nil, wechattest.App{Account: shop, MiniProgram: true})
	network := wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, &http.Client{Transport: network})
	if err != nil {
		log.Fatal(err)
	}
	return client, simulator.Phone("lin", network, "https://open.weixin.qq.com")
}

// The mini program sends the code of wx.login to the server.
func ExampleClient_SessionByCode() {
	client, phone := miniProgram()
	code, err := phone.LoginCode(shop.AppID)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	session, err := client.SessionByCode(ctx, code)
	fmt.Println(session.OpenID != "", session.UnionID != "", err)
	_, err = client.SessionByCode(ctx, code)
	fmt.Println(errors.Is(err, wechat.ErrCodeUsed))
	// Output:
	// true true <nil>
	// true
}

// The mini program sends the code of a getPhoneNumber button to the server.
func ExampleClient_PhoneNumber() {
	client, phone := miniProgram()
	code, err := phone.NumberCode(shop.AppID, "13580006666")
	if err != nil {
		log.Fatal(err)
	}
	number, err := client.PhoneNumber(context.Background(), code, "")
	fmt.Println(number.CountryCode, number.PureNumber, err)
	// Output: 86 13580006666 <nil>
}

// The page shows the picture. A scan opens the mini program with the scene.
func ExampleClient_MiniProgramCode() {
	client, _ := miniProgram()
	picture, err := client.MiniProgramCode(context.Background(), wechat.MiniProgramCode{Scene: "login=1", Page: "pages/login/login"})
	fmt.Println(picture.Type, len(picture.Data) > 0, err)
	// Output: image/jpeg true <nil>
}
