package wechattest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/scangate/scangate/wechat"
)

// maxChat is the number of messages that a chat keeps.
const maxChat = 1000

// serviceFailure is the notice that WeChat shows if an account's server does not answer.
const serviceFailure = "该公众号提供的服务出现故障，请稍后再试"

// ChatMessage is a message in the chat of a person and an account.
type ChatMessage struct {
	// FromAccount marks a reply of the account.
	FromAccount bool
	// Type is "text", or the type of another reply. It is "notice" for a line of WeChat's
	// own.
	Type string
	// Text is the text as the chat shows it: of a link the label only.
	Text string
	// Links are the addresses of the links in the text.
	Links []string
	// Time is the time of the message.
	Time time.Time

	content string // of a reply, with the markup of links
}

// chatKey names the chat of a person and an account.
type chatKey struct{ appID, personID string }

// chat is a person's relation to an account.
type chat struct {
	follows  bool
	since    time.Time
	scene    string // of the code with which the person came
	messages []ChatMessage
}

// chatOf returns the chat of a person and an account. The caller holds w.mu.
func (w *WeChat) chatOf(appID, personID string) *chat {
	key := chatKey{appID, personID}
	if w.chats[key] == nil {
		w.chats[key] = &chat{}
	}
	return w.chats[key]
}

// add adds a message.
func (c *chat) add(m ChatMessage) {
	if len(c.messages) >= maxChat {
		c.messages = slices.Delete(c.messages, 0, 1)
	}
	c.messages = append(c.messages, m)
}

// Follow scans a QR code with a scene and follows its account. It pushes the event
// subscribe. The code is the text in the QR code ([wechat.QRCode.URL]).
//
// Follow, like the other methods that push, returns when the push is answered or given up,
// and then the chat has the reply. It returns an error if the person cannot do that, or if
// the account's server does not answer as it should.
func (p *Phone) Follow(ctx context.Context, code string) error {
	c, err := p.wechat.scanned(code)
	if err != nil {
		return err
	}
	if p.Follows(c.app.AppID) {
		return errors.New("wechattest: the person follows the account already")
	}
	return p.follow(ctx, c.app.AppID, c)
}

// FollowAccount follows an account by another way than a QR code with a scene, such as the
// account's plain code. It pushes the event subscribe without a scene.
func (p *Phone) FollowAccount(ctx context.Context, appID string) error {
	if p.Follows(appID) {
		return errors.New("wechattest: the person follows the account already")
	}
	return p.follow(ctx, appID, &sceneCode{})
}

// follow makes the person a follower.
func (p *Phone) follow(ctx context.Context, appID string, code *sceneCode) error {
	w := p.wechat
	w.mu.Lock()
	c := w.chatOf(appID, p.person)
	c.follows, c.since, c.scene = true, w.now(), code.scene
	w.mu.Unlock()
	key := ""
	if code.scene != "" {
		key = "qrscene_" + code.scene
	}
	return p.push(ctx, appID, wechat.Message{MsgType: "event", Event: "subscribe", EventKey: key, Ticket: code.ticket})
}

// Scan scans a QR code with a scene. If the person follows the account, it pushes the event
// SCAN. Otherwise WeChat shows the account's profile and pushes nothing. Follow follows the
// account then.
func (p *Phone) Scan(ctx context.Context, code string) error {
	c, err := p.wechat.scanned(code)
	if err != nil || !p.Follows(c.app.AppID) {
		return err
	}
	return p.push(ctx, c.app.AppID, wechat.Message{MsgType: "event", Event: "SCAN", EventKey: c.scene, Ticket: c.ticket})
}

// scanned returns the code with the text, unless it has expired.
func (w *WeChat) scanned(text string) (*sceneCode, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	code, live, known := w.scenes.get(text, w.now())
	switch {
	case !known:
		return nil, fmt.Errorf("wechattest: %q is not a QR code with a scene", text)
	case !live:
		return nil, errors.New("wechattest: the QR code has expired")
	}
	return code, nil
}

// Unfollow stops following an account. It pushes the event unsubscribe, and the chat is
// deleted.
func (p *Phone) Unfollow(ctx context.Context, appID string) error {
	w := p.wechat
	w.mu.Lock()
	follows := w.chatOf(appID, p.person).follows
	w.chats[chatKey{appID, p.person}] = &chat{}
	w.mu.Unlock()
	if !follows {
		return errors.New("wechattest: the person does not follow the account")
	}
	return p.push(ctx, appID, wechat.Message{MsgType: "event", Event: "unsubscribe"})
}

// Follows reports whether the person follows an account.
func (p *Phone) Follows(appID string) bool {
	p.wechat.mu.Lock()
	defer p.wechat.mu.Unlock()
	return p.wechat.chatOf(appID, p.person).follows
}

// Type sends a text to an account that the person follows.
func (p *Phone) Type(ctx context.Context, appID, text string) error {
	w := p.wechat
	w.mu.Lock()
	c := w.chatOf(appID, p.person)
	follows := c.follows
	if follows {
		c.add(ChatMessage{Type: "text", Text: text, Time: time.Now()})
	}
	w.mu.Unlock()
	if !follows {
		return errors.New("wechattest: the person does not follow the account")
	}
	return p.push(ctx, appID, wechat.Message{MsgType: "text", Content: text})
}

// push delivers a message of the person, and adds the reply to the chat.
func (p *Phone) push(ctx context.Context, appID string, m wechat.Message) error {
	w := p.wechat
	pusher := w.pusherOf(appID)
	if pusher == nil {
		return fmt.Errorf("wechattest: the account %q has no push server: see SetPush", appID)
	}
	m.FromUserName = w.OpenID(p.person, appID)
	delivery := pusher.Push(ctx, m)
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.chatOf(appID, p.person)
	switch {
	case !c.follows:
		// The chat is gone.
	case delivery.Err != nil:
		c.add(ChatMessage{Type: "notice", Text: serviceFailure, Time: time.Now()})
	case delivery.Reply.MsgType != "":
		text, links := readLinks(delivery.Reply.Content)
		c.add(ChatMessage{FromAccount: true, Type: delivery.Reply.MsgType, Text: text, Links: links, Time: time.Now(), content: delivery.Reply.Content})
	}
	return delivery.Err
}

// linkTags matches the tags of links in a reply, and chatLinks matches whole links.
var (
	linkTags  = regexp.MustCompile(`<a\s[^>]*>|</a>`)
	chatLinks = regexp.MustCompile(`<a\s[^>]*href="([^"]*)"[^>]*>([^<]*)</a>`)
)

// pusherOf returns the pusher of an app, or nil.
func (w *WeChat) pusherOf(appID string) *Pusher {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state, known := w.accounts[appID]; known {
		return state.pusher
	}
	return nil
}

// readLinks returns a reply's text without the markup of links, and the links' addresses.
func readLinks(content string) (text string, links []string) {
	for _, match := range hrefs.FindAllStringSubmatch(content, -1) {
		links = append(links, html.UnescapeString(match[1]))
	}
	return linkTags.ReplaceAllString(content, ""), links
}

// Chat returns the messages in the chat with an account, oldest first.
func (p *Phone) Chat(appID string) []ChatMessage {
	p.wechat.mu.Lock()
	defer p.wechat.mu.Unlock()
	return slices.Clone(p.wechat.chatOf(appID, p.person).messages)
}

// LastReply returns the newest reply in the chat with an account, or the zero ChatMessage.
func (p *Phone) LastReply(appID string) ChatMessage {
	for _, m := range slices.Backward(p.Chat(appID)) {
		if m.FromAccount {
			return m
		}
	}
	return ChatMessage{}
}

// TapLink opens the first link in the newest reply of an account that has one, in WeChat's
// browser. The caller closes the response's body.
func (p *Phone) TapLink(ctx context.Context, appID string) (*http.Response, error) {
	chat := slices.DeleteFunc(p.Chat(appID), func(m ChatMessage) bool { return len(m.Links) == 0 })
	if len(chat) == 0 {
		return nil, errors.New("wechattest: no reply in the chat has a link")
	}
	return p.Open(ctx, chat[len(chat)-1].Links[0])
}
