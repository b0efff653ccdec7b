package wechattest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// The mini program has a rule for the plain link in a QR code.
func ExamplePhone_OpenLink() {
	simulator := wechattest.New(nil, wechattest.App{
		Account: shop, MiniProgram: true,
		Links: []wechattest.LinkRule{{Prefix: "https://app.example.com/wechat/scan/", Page: "pages/login/login"}},
	})
	phone := simulator.Phone("lin", http.DefaultTransport, "https://open.weixin.qq.com")
	launch, err := phone.OpenLink("https://app.example.com/wechat/scan/ABC", wechattest.Scanning)
	fmt.Println(launch.Scene, launch.Page, launch.Query["q"], err)
	// Output: 1011 pages/login/login https%3A%2F%2Fapp.example.com%2Fwechat%2Fscan%2FABC <nil>
}

// A picture with a mini program's code was saved, and is read out of the phone's album.
func ExamplePhone_OpenPicture() {
	phone, client := miniPhone()
	picture, err := client.MiniProgramCode(context.Background(), wechat.MiniProgramCode{Scene: "ABC", Page: "pages/login/login"})
	check(err)
	launch, err := phone.OpenPicture(picture.Data, wechattest.FromAlbum)
	fmt.Println(launch.Scene, launch.Page, launch.Query["scene"], err)
	// Output: 1049 pages/login/login ABC <nil>
}

// A friend sends a card, whose path they choose.
func ExamplePhone_OpenCard() {
	phone, _ := miniPhone()
	launch, err := phone.OpenCard(shop.AppID, "pages/login/login?scene=ABC")
	fmt.Println(launch.Scene == wechattest.SceneCard, launch.Query["scene"], err)
	// Output: true ABC <nil>
}

// testMiniProgram is the body of a test. In an application, it is called TestMiniProgram.
func testMiniProgram(t *testing.T) {
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}
	simulator := wechattest.NewServer(t, wechattest.App{Account: account, MiniProgram: true})
	server := httptest.NewUnstartedServer(nil)
	defer server.Close()
	publicURL := "http://" + server.Listener.Addr().String()
	gate, err := scangate.New(scangate.Config{PublicURL: publicURL, MiniProgram: account, WeChat: scangate.WeChat{Endpoint: simulator.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Close() }()
	server.Config.Handler = gate
	server.Start()

	client := &http.Client{}
	client.Jar, _ = cookiejar.New(nil) // the error is always nil
	simulator.LogInByMiniProgram(t, client, publicURL+"/wechat/mini/login", account.AppID, "lin")

	resp, err := client.Get(publicURL + "/wechat/me")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /wechat/me: status = %d, want 200", resp.StatusCode)
	}
}

// This is a complete test of an application with a mini program. One call logs a client in.
func ExampleWeChat_LogInByMiniProgram() {
	_ = testMiniProgram
}
