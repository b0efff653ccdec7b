package wechattest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// shopServer are the push settings of the shop, whose server replies to every message.
func shopServer() wechattest.PushServer {
	settings := wechat.CipherConfig{AppID: shop.AppID, Token: "choose16orMoreCharacters", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}
	cipher, err := wechat.NewCipher(settings)
	if err != nil {
		log.Fatal(err)
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		push, err := cipher.Open(r.URL.Query(), body)
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		text := wechat.PlainText(push.Message.MsgType+" "+push.Message.Event+push.Message.Content) + " " + wechat.ChatLink("https://app.example.com/", "link")
		_, _ = w.Write(push.Reply(wechat.Reply{Text: text}))
	}
	return wechattest.PushServer{
		URL: "https://app.example.com/push", Token: settings.Token, EncodingAESKey: settings.EncodingAESKey,
		Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": http.HandlerFunc(serve)}),
	}
}

// newChat returns lin's phone, the shop's QR code and its pusher.
func newChat() (*wechattest.Phone, string, *wechattest.Pusher) {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	pusher := simulator.SetPush(shop.AppID, shopServer())
	code, err := clientOf(simulator).CreateQRCode(context.Background(), "table7", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	hosts := map[string]http.Handler{"app.example.com": http.HandlerFunc(serveForm), "open.weixin.qq.com": simulator}
	return simulator.Phone("lin", wechattest.Transport(hosts), "https://open.weixin.qq.com"), code.URL, pusher
}

// check ends the program if there is an error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A person scans the account's code and follows it. The server's reply is in the chat.
func ExamplePhone_Follow() {
	phone, code, _ := newChat()
	check(phone.Follow(context.Background(), code))
	fmt.Println(phone.LastReply(shop.AppID).Text)
	// Output: event subscribe link
}

// A follower's scan is an event. Another person's scan is none.
func ExamplePhone_Scan() {
	ctx := context.Background()
	phone, code, _ := newChat()
	check(phone.Scan(ctx, code))
	fmt.Println(len(phone.Chat(shop.AppID)))
	check(phone.Follow(ctx, code))
	check(phone.Scan(ctx, code))
	fmt.Println(phone.LastReply(shop.AppID).Text)
	// Output:
	// 0
	// event SCAN link
}

// The person follows the account without a QR code that has a scene.
func ExamplePhone_FollowAccount() {
	phone, _, _ := newChat()
	check(phone.FollowAccount(context.Background(), shop.AppID))
	fmt.Println(phone.Follows(shop.AppID))
	// Output: true
}

func ExamplePhone_Follows() {
	phone, code, _ := newChat()
	fmt.Println(phone.Follows(shop.AppID))
	check(phone.Follow(context.Background(), code))
	fmt.Println(phone.Follows(shop.AppID))
	// Output:
	// false
	// true
}

// The chat is deleted when the person stops following.
func ExamplePhone_Unfollow() {
	ctx := context.Background()
	phone, code, _ := newChat()
	check(phone.Follow(ctx, code))
	check(phone.Unfollow(ctx, shop.AppID))
	fmt.Println(phone.Follows(shop.AppID), len(phone.Chat(shop.AppID)))
	// Output: false 0
}

func ExamplePhone_Type() {
	ctx := context.Background()
	phone, code, _ := newChat()
	check(phone.Follow(ctx, code))
	check(phone.Type(ctx, shop.AppID, "42"))
	fmt.Println(phone.LastReply(shop.AppID).Text)
	// Output: text 42 link
}

func ExamplePhone_Chat() {
	ctx := context.Background()
	phone, code, _ := newChat()
	check(phone.Follow(ctx, code))
	check(phone.Type(ctx, shop.AppID, "42"))
	for _, message := range phone.Chat(shop.AppID) {
		fmt.Println(message.FromAccount, message.Text)
	}
	// Output:
	// true event subscribe link
	// false 42
	// true text 42 link
}

func ExamplePhone_LastReply() {
	phone, code, _ := newChat()
	check(phone.Follow(context.Background(), code))
	reply := phone.LastReply(shop.AppID)
	fmt.Println(reply.Text, reply.Links)
	// Output: event subscribe link [https://app.example.com/]
}

// The person taps the link in the reply, and WeChat's browser opens the page.
func ExamplePhone_TapLink() {
	ctx := context.Background()
	phone, code, _ := newChat()
	check(phone.Follow(ctx, code))
	show(phone.TapLink(ctx, shop.AppID))
	// Output: GET 0  <nil>
}

// One message arrives twice.
func ExamplePusher_Deliver() {
	_, _, pusher := newChat()
	message := pusher.Text("lin", "42")
	for range 2 {
		delivery := pusher.Deliver(context.Background(), message)
		fmt.Println(delivery.Reply.Content, delivery.Err)
	}
	// Output:
	// text 42 <a href="https://app.example.com/">link</a> <nil>
	// text 42 <a href="https://app.example.com/">link</a> <nil>
}

// A test changes a signed request, as an attacker would.
func ExamplePusher_Request() {
	_, _, pusher := newChat()
	message := pusher.Event("lin", "SCAN", "table7")
	req, err := pusher.Request(context.Background(), pusher.Document(message))
	check(err)
	query := req.URL.Query()
	query.Set("nonce", "1")
	req.URL.RawQuery = query.Encode()
	fmt.Println(pusher.Do(req, message).Err)
	// Output: wechattest: push: status 403
}

// miniPhone returns lin's phone, and a client of a mini program.
func miniPhone() (*wechattest.Phone, *wechat.Client) {
	simulator := wechattest.New(nil, wechattest.App{Account: shop, MiniProgram: true})
	return simulator.Phone("lin", http.DefaultTransport, "https://open.weixin.qq.com"), clientOf(simulator)
}

func ExamplePhone_LoginCode() {
	phone, client := miniPhone()
	code, err := phone.LoginCode(shop.AppID)
	check(err)
	session, err := client.SessionByCode(context.Background(), code)
	fmt.Println(session.OpenID != "", err)
	// Output: true <nil>
}

func ExamplePhone_NumberCode() {
	phone, client := miniPhone()
	code, err := phone.NumberCode(shop.AppID, "13580006666")
	check(err)
	number, err := client.PhoneNumber(context.Background(), code, "")
	fmt.Println(number.PureNumber, err)
	// Output: 13580006666 <nil>
}
