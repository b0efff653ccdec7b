package scangate

import (
	"errors"
	"net/http"

	"github.com/scangate/scangate/internal/login"
)

// serveScan serves the URL in the gate's QR code, and the link in a chat. For the former it
// redirects every browser to WeChat, whose page asks other browsers than WeChat's to open it
// there. It consumes nothing: link checkers open it too.
func (g *Gate) serveScan(w http.ResponseWriter, r *http.Request) error {
	l, err := g.logins.load(r)
	if err != nil {
		return err
	}
	switch {
	case l.Kind() != login.CrossDevice:
		return g.logins.unknown(r)
	case l.InChat():
		return g.serveChatLink(w, r, l)
	case l.Open() == nil && g.accounts.web(l) == nil:
		return errOnlyMini // no browser can prove an identity for it
	}
	key := g.cookies.ensure(w, r)
	switch err := l.Open(); {
	case g.logins.authorizerKey(r, l) != "" && !errors.Is(err, login.ErrExpired):
		return g.advance(w, r, l)
	case err != nil:
		return g.logins.withRetry(r, l, err)
	case l.Identified():
		return login.ErrInUse
	}
	if err := g.markScanned(r, l); err != nil {
		return err
	}
	seeOther(w, g.accounts.authorizeURL(g.urls.callback(), l, key, login.ScopeBase))
	return nil
}

// markScanned notes that the login's QR code was opened. The initiator's page does not show
// that, because a link checker opens it too.
func (g *Gate) markScanned(r *http.Request, l *login.Login) error {
	if l.State() != login.StateWaiting || g.config.OnEvent == nil {
		return nil // the note is for the event, which is emitted once
	}
	l, err := g.logins.Scan(r.Context(), l)
	if errors.Is(err, login.ErrRepeated) {
		return nil
	}
	if err == nil {
		g.respond.emit(r, loginEvent(EventScanned, l))
	}
	return err
}

// serveChatLink serves the link in a chat. It proves which chat the link is from, and not
// who has opened it: a GET changes nothing, so link checkers may open it.
func (g *Gate) serveChatLink(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	q, err := query(r)
	ticket := q.Get(ticketParam)
	if err != nil || !g.chats.verify(l, ticket) {
		return g.logins.unknown(r) // a malformed query must not show that the login exists
	}
	key := g.cookies.ensure(w, r)
	if done, err := g.openedChat(w, r, l, key); done || err != nil {
		return err
	}
	p := PageData{Purpose: string(l.Purpose()), Token: ticket, Digits: l.EchoFor(key)}
	if p.Digits != "" {
		p.Name = "chat.echo"
	}
	if g.accounts.official != nil {
		allowTrip(w.Header(), g.urls.relay, g.accounts.authorizeURL(g.urls.callback(), l, key, login.ScopeBase))
	}
	g.respond.render(w, r, http.StatusOK, "chat", p)
	return nil
}

// openedChat answers the authorizer's browser, which has proved already that it is the
// person's. For any other browser it returns an error if the login is over, or has an
// authorizer. It reports whether it has answered.
func (g *Gate) openedChat(w http.ResponseWriter, r *http.Request, l *login.Login, key login.Key) (bool, error) {
	switch err := l.Open(); {
	case l.AuthorizedBy(key) && !errors.Is(err, login.ErrExpired) && !errors.Is(err, login.ErrReplaced):
		return true, g.advance(w, r, l)
	case err != nil:
		return false, err
	case l.Bound():
		return false, login.ErrInUse
	}
	return false, nil
}

// serveOpenChat lets a browser prove that it is the person's: by a trip to WeChat, whose
// openid has to be that of the chat, or by four digits that the person sends to the chat.
// Neither the link nor this form is such a proof.
func (g *Gate) serveOpenChat(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	l, err := g.logins.load(r)
	if err != nil {
		return err
	}
	ticket := posted.Get(ticketParam)
	if !g.chats.verify(l, ticket) {
		return g.logins.unknown(r)
	}
	key := g.cookies.ensure(w, r)
	if done, err := g.openedChat(w, r, l, key); done || err != nil {
		return err
	}
	if l, err = g.chats.lookUpNow(r, l); err != nil {
		return err
	}
	if g.accounts.official != nil {
		seeOther(w, g.accounts.authorizeURL(g.urls.callback(), l, key, login.ScopeBase))
		return nil
	}
	if _, err := g.logins.AwaitEcho(r.Context(), l, key); err != nil {
		return err
	}
	seeOther(w, g.urls.path("scan", l.ID())+"?"+ticketParam+"="+ticket)
	return nil
}
