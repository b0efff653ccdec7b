package wechat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// shopPush are the settings that the developer entered in WeChat's console.
var shopPush = wechat.CipherConfig{
	AppID: shop.AppID, Token: "choose16orMoreCharacters",
	EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
}

// servePush receives an account's messages and events.
func servePush(cipher *wechat.Cipher) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if r.Method == http.MethodGet {
			// WeChat checks the URL when the developer enters it.
			echo, err := cipher.Echo(r.URL.Query())
			if err != nil {
				http.Error(w, "forbidden", http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, echo)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxMessage))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		push, err := cipher.Open(r.URL.Query(), body)
		if err != nil {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		_, _ = w.Write(push.Reply(replyTo(push.Message)))
	}
}

// replyTo returns the reply to a message. WeChat waits 5 seconds for it.
func replyTo(m wechat.Message) wechat.Reply {
	scene, scanned := m.Scene()
	switch {
	case scanned:
		return wechat.Reply{Text: "You scanned " + wechat.PlainText(scene) + ". " + wechat.ChatLink("https://app.example.com/", "Open the page")}
	case m.MsgType == "text":
		return wechat.Reply{Text: "You wrote: " + wechat.PlainText(m.Content)}
	}
	return wechat.Reply{} // nothing
}

// follow makes a person follow the shop by a QR code with a scene. It returns their phone,
// and a client of the account.
func follow(personID string) (*wechattest.Phone, *wechat.Client) {
	client, _, simulator := simulated()
	cipher, err := wechat.NewCipher(shopPush)
	if err != nil {
		log.Fatal(err)
	}
	network := wechattest.Transport(map[string]http.Handler{"app.example.com": servePush(cipher)})
	simulator.SetPush(shop.AppID, wechattest.PushServer{
		URL: "https://app.example.com/push", Token: shopPush.Token, EncodingAESKey: shopPush.EncodingAESKey, Transport: network,
	})
	ctx := context.Background()
	code, err := client.CreateQRCode(ctx, "table7", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	phone := simulator.Phone(personID, network, "https://open.weixin.qq.com")
	if err := phone.Follow(ctx, code.URL); err != nil {
		log.Fatal(err)
	}
	return phone, client
}

// A server verifies the messages of an account and replies to them. Its handler is in this
// file: servePush. A simulator plays WeChat and the person.
func ExampleNewCipher() {
	phone, _ := follow("lin")
	if err := phone.Type(context.Background(), shop.AppID, "Hello!"); err != nil {
		log.Fatal(err)
	}
	for _, message := range phone.Chat(shop.AppID) {
		fmt.Println(message.Text, message.Links)
	}
	// Output:
	// You scanned table7. Open the page [https://app.example.com/]
	// Hello! []
	// You wrote: Hello! []
}

// ParseMessage reads the fields of a message. It verifies nothing.
func ExampleParseMessage() {
	message, err := wechat.ParseMessage([]byte(`<xml>
		<ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>
		<CreateTime>1409735668</CreateTime><MsgType><![CDATA[event]]></MsgType>
		<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_table7]]></EventKey></xml>`))
	if err != nil {
		log.Fatal(err)
	}
	scene, _ := message.Scene()
	fmt.Println(message, message.IsEvent("SUBSCRIBE"), scene)
	// Output: message of type "event", event "subscribe" true table7
}

// Fields without a name in Message have one of their own, or are decoded.
func ExampleMessage_Decode() {
	message, err := wechat.ParseMessage([]byte(`{"MsgType":"event","Event":"pic_sysphoto","Latitude":23.1,"SendPicsInfo":{"Count":2}}`))
	if err != nil {
		log.Fatal(err)
	}
	var pictures struct{ SendPicsInfo struct{ Count int } }
	err = message.Decode(&pictures)
	fmt.Println(message.Field("Latitude"), pictures.SendPicsInfo.Count, err)
	// Output: 23.1 2 <nil>
}

// A value from outside cannot become a link or end the reply.
func ExamplePlainText() {
	fmt.Println("Hello, " + wechat.PlainText(`]]><a href="https://evil.example/">Lin</a>`) + "!")
	// Output: Hello, a href="https://evil.example/">Lin/a>!
}

func ExampleChatLink() {
	fmt.Println(wechat.ChatLink("https://app.example.com/?a=1", "Log in"))
	// Output: <a href="https://app.example.com/?a=1">Log in</a>
}

// One process fetches the account's token and serves it to the others, over a protected
// connection.
func ExampleClient_WithTokenSource() {
	keeper, _, simulator := simulated()
	serve := func(ctx context.Context) ([]byte, error) {
		token, err := keeper.AccessToken(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(token)
	}
	other, _, _ := simulated()
	other = other.WithTokenSource(func(ctx context.Context) (wechat.AccountToken, error) {
		var token wechat.AccountToken
		text, err := serve(ctx)
		if err == nil {
			err = json.Unmarshal(text, &token)
		}
		return token, err
	})
	token, err := other.AccessToken(context.Background())
	fmt.Println(token.AccessToken != "", err, simulator.Calls(wechattest.OpStableToken))
	// Output: true <nil> 1
}
