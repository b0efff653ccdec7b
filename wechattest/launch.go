package wechattest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// How a mini program was opened ("场景值"), as [Launch.Scene] has it.
const (
	SceneCard          = 1007 // a card in a chat with one person
	SceneScanQR        = 1011 // a scan of a QR code
	SceneLongPressQR   = 1012 // a long press on a picture with a QR code
	SceneAlbumQR       = 1013 // a picture with a QR code in the phone's album
	SceneScanCode      = 1047 // a scan of a mini program's code
	SceneLongPressCode = 1048 // a long press on a picture with one
	SceneAlbumCode     = 1049 // a picture with one in the phone's album
)

// LinkRule opens a mini program for plain links in QR codes ("扫普通链接二维码打开小程序").
type LinkRule struct {
	// Prefix begins the links, such as "https://app.example.com/wechat/scan/".
	Prefix string
	// Page is the mini program's page that WeChat opens, such as "pages/login/login".
	Page string
}

// Reading is how a phone reads a code.
type Reading int

// The ways in which a phone reads a code.
const (
	Scanning  Reading = iota // with the camera
	LongPress                // in a picture that is shown in WeChat
	FromAlbum                // in a picture out of the phone's album
)

// Launch is how a mini program was opened, as it gets it from WeChat.
type Launch struct {
	// AppID is the mini program's.
	AppID string
	// Scene is one of the scene values, such as [SceneScanQR].
	Scene int
	// Page is the page that opens, without a query.
	Page string
	// Query is what the page's onLoad gets. As in WeChat, the values of q and scene are
	// percent-encoded, and the page decodes them once.
	Query map[string]string
}

// OpenLink reads a QR code that contains a plain link. It returns an error if no mini
// program has a rule for the link: WeChat opens it in its browser then; see [Phone.Open].
func (p *Phone) OpenLink(link string, by Reading) (Launch, error) {
	for _, app := range p.wechat.apps {
		for _, rule := range app.Links {
			if app.MiniProgram && strings.HasPrefix(link, rule.Prefix) {
				return Launch{
					AppID: app.AppID, Page: rule.Page, Scene: [...]int{SceneScanQR, SceneLongPressQR, SceneAlbumQR}[by],
					Query: map[string]string{"q": encodeComponent(link), "scancode_time": p.scanTime()},
				}, nil
			}
		}
	}
	return Launch{}, errors.New("wechattest: no mini program has a rule for this link")
}

// OpenPicture reads a mini program's code in a picture of WeChat's
// ([wechat.Client.MiniProgramCode]).
func (p *Phone) OpenPicture(picture []byte, by Reading) (Launch, error) {
	p.wechat.mu.Lock()
	code, _, known := p.wechat.miniPictures.get(pictureKey(picture), p.wechat.now())
	p.wechat.mu.Unlock()
	if !known {
		return Launch{}, errors.New("wechattest: the picture is not a mini program's code")
	}
	return Launch{
		AppID: code.appID, Page: code.page, Scene: [...]int{SceneScanCode, SceneLongPressCode, SceneAlbumCode}[by],
		Query: map[string]string{"scene": encodeComponent(code.scene)},
	}, nil
}

// OpenCard opens a mini program from a card in a chat. The sender of the card chooses the
// path, which may have a query.
func (p *Phone) OpenCard(appID, path string) (Launch, error) {
	if app, known := p.wechat.apps[appID]; !known || !app.MiniProgram {
		return Launch{}, fmt.Errorf("wechattest: %q is not a mini program", appID)
	}
	page, query, _ := strings.Cut(path, "?")
	launch := Launch{AppID: appID, Page: page, Scene: SceneCard, Query: make(map[string]string)}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			launch.Query[name] = value
		}
	}
	return launch, nil
}

// scanTime returns the simulator's time in seconds.
func (p *Phone) scanTime() string {
	p.wechat.mu.Lock()
	defer p.wechat.mu.Unlock()
	return strconv.FormatInt(p.wechat.now().Unix(), 10)
}

// encodeComponent is encodeURIComponent of JavaScript.
func encodeComponent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// miniPicture is a mini program's code in a picture.
type miniPicture struct{ appID, page, scene string }

// pictureKey identifies a picture.
func pictureKey(picture []byte) string {
	sum := sha256.Sum256(picture)
	return string(sum[:])
}

// LogInByMiniProgram logs in the client of an application's test, as the person's mini
// program logs itself in:
//
//	simulator.LogInByMiniProgram(t, client, server.URL+"/wechat/mini/login", mini.AppID, "lin")
//
// It posts a code of wx.login to the address, as JSON in the member code, and puts the
// session of the answer into the client's Jar. The answer has the members session and cookie,
// which is the cookie's name. LogInByMiniProgram fails t if there is no session.
func (w *WeChat) LogInByMiniProgram(t testing.TB, client *http.Client, address, appID, personID string) {
	t.Helper()
	if err := w.logInByMini(t.Context(), client, address, appID, personID); err != nil {
		t.Fatalf("wechattest: logging the mini program of %q in: %v", personID, err)
	}
}

// logInByMini is LogInByMiniProgram without a test.
func (w *WeChat) logInByMini(ctx context.Context, client *http.Client, address, appID, personID string) error {
	if client.Jar == nil {
		return errors.New("the client has no Jar for the session's cookie")
	}
	code, err := (&Phone{wechat: w, person: personID}).LoginCode(appID)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "wechattest: "))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{"code":"`+code+`"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", UserAgentPhone)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var answer struct{ Session, Cookie, Code, Step string }
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusOK || answer.Session == "" || answer.Cookie == "" {
		return fmt.Errorf("%s answers status %d without a session (code %q, step %q)", withoutQuery(address), resp.StatusCode, answer.Code, answer.Step)
	}
	client.Jar.SetCookies(req.URL, []*http.Cookie{{ //nolint:gosec // Secure is false only if the test's server has no TLS
		Name: answer.Cookie, Value: answer.Session, Path: "/", HttpOnly: true, Secure: req.URL.Scheme == "https", SameSite: http.SameSiteLaxMode,
	}})
	return nil
}
