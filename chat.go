package scangate

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/scangate/scangate/internal/chat"
	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// chats turns the messages of persons to the official account into steps of logins, and
// composes the account's replies. Its calls to WeChat for a message run in the background.
type chats struct {
	gate        string   // the gate's name, which its scenes contain
	ticketKeys  [][]byte // the current one first
	takesDigits bool     // a login page may show digits
	registerURL string   // Config.Registration.URL

	accounts  accounts
	locator   *locator
	logins    *logins
	registrar *registrar
	respond   *responder
	state     state.Store
	logger    *slog.Logger
	lookups   *background // apart from the calls of Push.Handle, which may be slow
	lookingUp sync.Map    // the IDs of the logins whose person this process is looking up
}

// newChats returns the chats of a gate whose other parts are connected.
func newChats(c *Config, logins *logins, registrar *registrar, locator *locator, lookups *background) *chats {
	ch := &chats{
		gate: strings.TrimSuffix(c.name(), ":"), takesDigits: !c.Push.isZero(), registerURL: c.Registration.URL,
		accounts: logins.accounts, locator: locator, logins: logins, registrar: registrar, respond: logins.respond,
		state: registrar.state, logger: c.Logger, lookups: lookups,
	}
	for _, key := range []string{c.Push.EncodingAESKey, c.Push.FormerEncodingAESKey} {
		if key != "" {
			ch.ticketKeys = append(ch.ticketKeys, macOf([]byte(key), "scangate ticket"))
		}
	}
	return ch
}

// macOf returns the HMAC-SHA256 of the text.
func macOf(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// scenePrefix begins the scenes of all gates.
const scenePrefix = "sg."

// scene returns the scene of the login's code.
func (c *chats) scene(l *login.Login) string { return scenePrefix + c.gate + "." + l.ID() }

// sceneLogin returns the ID of the login in a scene of this gate, and reports whether it
// is one. Another gate of the same account has another name.
func (c *chats) sceneLogin(scene string) (string, bool) {
	id, ok := strings.CutPrefix(scene, scenePrefix+c.gate+".")
	return id, ok && login.ValidID(id)
}

// ticket returns the proof that a link comes from the chat of the login's person. It is
// computed, so that every process makes the same link.
func (c *chats) ticket(key []byte, l *login.Login) string {
	sum := macOf(key, fmt.Sprintf("%q %q %q", c.gate, l.ID(), l.Person().Identity.OpenID))
	return base32.StdEncoding.EncodeToString(sum[:20])
}

// verify reports whether the ticket is that of the login's person.
func (c *chats) verify(l *login.Login, ticket string) bool {
	for _, key := range c.ticketKeys {
		if l.InChat() && l.Identified() && hmac.Equal([]byte(ticket), []byte(c.ticket(key, l))) {
			return true
		}
	}
	return false
}

// link returns the URL that the chat shows to the login's person.
func (c *chats) link(l *login.Login) string {
	return c.respond.urls.absolute("scan", l.ID()) + "?" + ticketParam + "=" + c.ticket(c.ticketKeys[0], l)
}

// speaker returns the speaker in the language of the page that shows the login's code. A
// nil login has the pages' first language.
func (c *chats) speaker(l *login.Login) chat.Speaker {
	lang := c.respond.pages.LanguageFor("")
	if l != nil {
		if named, ok := c.respond.pages.LanguageNamed(l.Language()); ok {
			lang = named
		}
	}
	return chat.Speaker{App: c.respond.pages.App(), Texts: func(key string) string {
		text, _ := lang.Text("", "", key)
		return text
	}}
}

// refuse notes why the person cannot log in, and returns the text that explains it.
func (c *chats) refuse(ctx context.Context, l *login.Login, reason error) (wechat.Text, error) {
	code := failureOf(reason).code
	note := c.logins.Refuse
	if errors.Is(reason, errWeChat) {
		note = c.logins.RefuseUnlearned // another look-up may have succeeded meanwhile
	}
	refused, err := note(ctx, l, code)
	switch {
	case err == nil:
		c.respond.emitWithout(ctx, Event{Name: EventRefused, Reason: code, Login: shortID(l.ID()), Way: wayOf(l)})
	case errors.Is(err, login.ErrRepeated):
	case failureOf(err).status != http.StatusServiceUnavailable:
		return c.speaker(refused).Line("chat.over"), nil
	default:
		return "", err
	}
	return c.speaker(refused).Line("error." + code + ".text"), nil
}

// refusal returns why the login's person cannot log in.
func (c *chats) refusal(l *login.Login) wechat.Text {
	return c.speaker(l).Line("error." + refusalCode(l.Person().Refusal) + ".text")
}
