package wechattest

import (
	"context"
	"html"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Paths of the pages with chats, relative to the simulator's base URL.
const (
	codePath    = "/q/"    // and the rest of a code's text
	accountPath = "/r/"    // and the AppID, for the account's own code
	chatPath    = "/chat/" // and the AppID
)

// CodesAt makes the QR codes of accounts lead to the simulator's own pages. The URL is the
// simulator's base URL. A browser that opens such a code gets the chat of a person and the
// account, in place of a phone that scans it. Without a call, codes have WeChat's form, which
// only [Phone.Scan] and its like can read.
func (w *WeChat) CodesAt(baseURL string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.codesAt = strings.TrimSuffix(baseURL, "/")
}

// AccountCode returns the text of an account's own QR code, which has no scene.
func (w *WeChat) AccountCode(appID string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.codeBase() + accountPath + appID
}

// codeBase returns the beginning of the text in an account's codes. The caller holds w.mu.
func (w *WeChat) codeBase() string {
	if w.codesAt != "" {
		return w.codesAt
	}
	return "http://weixin.qq.com"
}

// chatRoutes registers the home page and the pages with chats.
func (w *WeChat) chatRoutes() {
	w.routes.HandleFunc("GET /{$}", w.home)
	w.routes.HandleFunc("GET "+codePath+"{code}", w.openCode)
	w.routes.HandleFunc("GET "+accountPath+"{app}", w.openAccount)
	w.routes.HandleFunc("GET "+chatPath+"{app}", w.openChat)
	w.routes.HandleFunc("POST "+chatPath+"{app}", w.actInChat)
}

// home serves the home page, which explains how to play the phone.
func (w *WeChat) home(rw http.ResponseWriter, _ *http.Request) {
	data := page{Persons: w.persons}
	for _, appID := range slices.Sorted(maps.Keys(w.apps)) {
		if app := w.apps[appID]; !app.Website && !app.MiniProgram {
			data.Chats = append(data.Chats, app)
		}
	}
	w.show(rw, "home", data)
}

// openCode serves the address in a code with a scene: a person scans it.
func (w *WeChat) openCode(rw http.ResponseWriter, r *http.Request) {
	text := w.codeText(r)
	code, err := w.scanned(text)
	if err != nil {
		w.show(rw, "error", page{LinkError: &linkError{0, strings.TrimPrefix(err.Error(), "wechattest: ")}})
		return
	}
	phone, ok := w.phoneOf(rw, r, code.app)
	if !ok {
		return
	}
	if phone.Follows(code.app.AppID) {
		// An error is in the chat already.
		_ = phone.Scan(pushContext(r), text)
		w.toChat(rw, phone, code.app.AppID)
		return
	}
	w.showChat(rw, r, phone, page{App: code.app, Code: text})
}

// openAccount serves the address in an account's own code. A scan by a follower pushes
// nothing.
func (w *WeChat) openAccount(rw http.ResponseWriter, r *http.Request) {
	if phone, app, ok := w.chatOwner(rw, r); ok && phone.Follows(app.AppID) {
		w.toChat(rw, phone, app.AppID)
	} else if ok {
		w.showChat(rw, r, phone, page{App: app})
	}
}

// openChat serves the chat of a person and an account.
func (w *WeChat) openChat(rw http.ResponseWriter, r *http.Request) {
	if phone, app, ok := w.chatOwner(rw, r); ok {
		w.showChat(rw, r, phone, page{App: app})
	}
}

// actInChat follows the account, stops following it, or sends a text to it. The answer comes
// after the reply.
func (w *WeChat) actInChat(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
	phone, app, ok := w.chatOwner(rw, r)
	if !ok {
		return
	}
	// The chat shows when the server fails. Any other error is a form of a former state.
	ctx := pushContext(r)
	switch text := strings.TrimSpace(r.PostFormValue("text")); {
	case r.PostForm.Has("follow") && r.PostForm.Get("code") != "":
		_ = phone.Follow(ctx, r.PostForm.Get("code"))
	case r.PostForm.Has("follow"):
		_ = phone.FollowAccount(ctx, app.AppID)
	case r.PostForm.Has("unfollow"):
		_ = phone.Unfollow(ctx, app.AppID)
	case text != "":
		_ = phone.Type(ctx, app.AppID, text)
	}
	w.toChat(rw, phone, app.AppID)
}

// pushContext returns the context of the pushes of a request. WeChat delivers a message also
// if the person leaves the chat.
func pushContext(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

// codeText returns the text of the code whose address the browser has opened.
func (w *WeChat) codeText(r *http.Request) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.codeBase() + codePath + r.PathValue("code")
}

// chatOwner returns the account in the path and the person's phone. If it returns false, it
// has answered.
func (w *WeChat) chatOwner(rw http.ResponseWriter, r *http.Request) (*Phone, App, bool) {
	app, known := w.apps[r.PathValue("app")]
	if !known || app.Website || app.MiniProgram {
		http.NotFound(rw, r)
		return nil, App{}, false
	}
	phone, ok := w.phoneOf(rw, r, app)
	return phone, app, ok
}

// phoneOf returns the phone of the person in the query or the cookie. Without one it shows
// the list of persons and returns false.
func (w *WeChat) phoneOf(rw http.ResponseWriter, r *http.Request, app App) (*Phone, bool) {
	rawQuery, person, _ := w.parseTaps(r)
	// The cookie alone does not count for a code: the same browser may show it, and
	// another person may scan it.
	inChat := strings.HasPrefix(r.URL.Path, chatPath)
	if person.ID == "" || !inChat && !r.URL.Query().Has(PersonParam) {
		w.show(rw, "people", page{App: app, query: rawQuery, Persons: w.persons})
		return nil, false
	}
	// The pages behind the links in the chat lead to the authorization page.
	http.SetCookie(rw, newPersonCookie(person.ID))
	return &Phone{wechat: w, person: person.ID}, true
}

// toChat redirects the browser to the chat.
func (w *WeChat) toChat(rw http.ResponseWriter, p *Phone, appID string) {
	// Relative, because the simulator can be mounted below any path. All pages with chats
	// are at the same depth.
	rw.Header().Set("Location", ".."+chatPath+appID+"?"+PersonParam+"="+url.QueryEscape(p.person))
	rw.WriteHeader(http.StatusSeeOther)
}

// showChat shows the chat.
func (w *WeChat) showChat(rw http.ResponseWriter, r *http.Request, p *Phone, data page) {
	data.Person, _ = w.person(p.person)
	data.Follows, data.Chat = p.Follows(data.App.AppID), p.Chat(data.App.AppID)
	data.Words = chatWordsFor(r.Header.Get("Accept-Language"))
	w.show(rw, "chat", data)
}

// OwnerQuery returns the query that names the phone's owner.
func (p page) OwnerQuery() template.URL {
	return template.URL(PersonParam + "=" + url.QueryEscape(p.Person.ID)) //nolint:gosec // escaped
}

// chatWords are the texts of the chat's page in one language.
type chatWords struct {
	Lang, Title, Kind, Account, You, Follow, Unfollow, More, Placeholder, Send, Hint, Switch, Chat string
}

// chatWordsFor returns the texts in the language that a browser prefers, out of Chinese and
// English.
func chatWordsFor(acceptLanguage string) chatWords {
	for tag := range strings.SplitSeq(strings.ToLower(acceptLanguage), ",") {
		if tag = strings.TrimSpace(tag); strings.HasPrefix(tag, "zh") {
			break
		}
		if strings.HasPrefix(tag, "en") {
			return chatWords{
				"en", "Simulated WeChat", "Official account", "Account", "You", "Follow", "Unfollow", "More",
				"Message", "Send", "Follow this account to receive its messages.", "Another person", "Messages",
			}
		}
	}
	return chatWords{
		"zh-CN", "模拟微信", "公众号", "公众号", "你", "关注公众号", "取消关注", "更多",
		"输入消息", "发送", "关注后可以接收该公众号的消息", "换一个人", "消息",
	}
}

// messagePart is a part of a message's text: a link, or plain text without an address.
type messagePart struct{ Text, URL string }

// parts returns the parts of the text as the chat shows them.
func (m ChatMessage) parts() []messagePart {
	if m.content == "" {
		return []messagePart{{Text: m.Text}}
	}
	var parts []messagePart
	end := 0 // of the last link
	for _, at := range chatLinks.FindAllStringSubmatchIndex(m.content, -1) {
		address, label := m.content[at[2]:at[3]], m.content[at[4]:at[5]]
		parts = append(parts, messagePart{Text: m.content[end:at[0]]}, messagePart{label, html.UnescapeString(address)})
		end = at[1]
	}
	return append(parts, messagePart{Text: m.content[end:]})
}

// clock returns the time of day of a message.
func clock(t time.Time) string { return t.Format("15:04") }

// pageFuncs are the functions of the templates.
func pageFuncs() template.FuncMap {
	return template.FuncMap{"initial": initial, "clock": clock, "parts": ChatMessage.parts}
}
