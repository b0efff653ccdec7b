package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scangate/scangate/wechat"
)

// longPoll is how long a browser waits for news at a time.
const longPoll = 25 * time.Second

// readGrace is how long after that the connection's next request may take to
// begin where the server has no limit of its own.
const readGrace = 10 * time.Second

// serveLogin begins a login for whoever opens the page.
func (g *Gate) serveLogin(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	returnTo := localPath(q.Get("return_to"))
	switch _, err := g.Check(r); {
	case err == nil:
		seeOther(w, returnTo)
		return nil
	case errors.Is(err, ErrPhoneRequired):
		seeOther(w, g.returningURL("phone", returnTo))
		return nil
	case !errors.Is(err, ErrLoginRequired):
		return err
	}
	return g.offer(w, r, &attempt{ReturnTo: returnTo}, q.Get("with"))
}

// offer begins an attempt, or goes on with the browser's open one, and shows the
// browser what to do.
func (g *Gate) offer(w http.ResponseWriter, r *http.Request, a *attempt, with string) error {
	key := g.cookies.ensure(w, r)
	start := g.startURL(a)
	a, err := g.begin(r, key, a, with)
	if err != nil {
		return againError{err, start}
	}
	switch {
	case a.Kind == kindDirect:
		seeOther(w, g.wechatURL(a, key, roundBase))
	case a.State == stateApproved:
		g.renderFinish(w, r, a)
	default:
		g.renderLogin(w, r, a)
	}
	return nil
}

// wayIn chooses who proves the identity, and at which account, by who asks and
// what is configured: WeChat's own browser and those who ask for WeChat's page
// do so themselves; the others have a phone do it.
func (g *Gate) wayIn(r *http.Request, with string) (k kind, appID string) {
	switch {
	case g.website != nil && (with == "website" || g.official == nil):
		return kindDirect, g.website.AppID()
	case inWeChat(r):
		return kindDirect, g.official.AppID()
	}
	return kindScan, g.official.AppID()
}

// begin returns this browser's open attempt of the kind, or a new one.
func (g *Gate) begin(r *http.Request, key browserKey, a *attempt, with string) (*attempt, error) {
	a.Kind, a.AppID = g.wayIn(r, with)
	a.Asker, a.From = key.digest(), g.origin(r)
	var version int64
	if g.cookies.key(r) == key { // a browser whose key is new has no attempt yet
		open, v, err := g.logins.find(r.Context(), a)
		if errors.Is(err, errNoSession) && g.sessions.carriedBy(r) {
			err = errUnknown // it kept one, which has ended since
		}
		if !errors.Is(err, errUnknown) {
			return open, err
		}
		version = v
	}
	if err := g.limit(r, "login"); err != nil {
		return nil, err
	}
	if err := g.logins.create(r.Context(), a, version); err != nil {
		return nil, wrap("storing a login", err)
	}
	g.happened(r, a.event(EventStarted))
	return a, nil
}

// wechatURL is where the browser proves its identity for the login.
func (g *Gate) wechatURL(a *attempt, key browserKey, r round) string {
	client := g.client(a.AppID)
	callback, state := g.absolute(g.path("callback")), key.oauthState(a.ID, r)
	switch {
	case client == g.website:
		return client.QRConnectURL(callback, state, "")
	case r == roundProfile:
		return client.AuthorizeURL(callback, state, wechat.ScopeUserInfo)
	}
	return client.AuthorizeURL(callback, state, wechat.ScopeBase)
}

// scanLogin is a login as a single-page application gets it.
type scanLogin struct {
	ID          string    `json:"id"`
	ScanURL     string    `json:"scan_url"`
	QRURL       string    `json:"qr_url"`
	StateURL    string    `json:"state_url"`
	FinishURL   string    `json:"finish_url"`
	MatchNumber int       `json:"match_number"`
	ExpiresAt   time.Time `json:"expires_at"`
	WebsiteURL  string    `json:"website_url,omitempty"`
}

// scanLogin is what a browser is told of a scan login that it began.
func (g *Gate) scanLogin(a *attempt) scanLogin {
	s := scanLogin{
		ID:          a.ID,
		ScanURL:     g.absolute(g.path("scan", a.ID)),
		QRURL:       g.path("login", a.ID, "qr.svg"),
		StateURL:    g.path("login", a.ID, "state"),
		FinishURL:   g.path("login", a.ID, "finish"),
		MatchNumber: a.Number,
		ExpiresAt:   a.Expires.UTC(),
	}
	if a.State == stateWaiting {
		s.ExpiresAt = a.renewAt().UTC()
	}
	if g.website != nil {
		s.WebsiteURL = g.websiteURL(a)
	}
	return s
}

// websiteURL is the login by WeChat's own QR page.
func (g *Gate) websiteURL(a *attempt) string {
	return g.path(a.Purpose.route()) + "?" + url.Values{"return_to": {a.ReturnTo}, "with": {"website"}}.Encode()
}

// serveLoginJSON begins a login for a single-page application.
func (g *Gate) serveLoginJSON(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	return g.offerJSON(w, r, &attempt{ReturnTo: localPath(posted.Get("return_to"))}, posted.Get("with"))
}

// offerJSON is offer for a program.
func (g *Gate) offerJSON(w http.ResponseWriter, r *http.Request, a *attempt, with string) error {
	key := g.cookies.ensure(w, r)
	a, err := g.begin(r, key, a, with)
	if err != nil {
		return err
	}
	if a.Kind == kindDirect {
		writeJSON(w, http.StatusCreated, map[string]string{"redirect_url": g.wechatURL(a, key, roundBase)})
		return nil
	}
	writeJSON(w, http.StatusCreated, g.scanLogin(a))
	return nil
}

// stateAnswer is all that a waiting browser is told.
type stateAnswer struct {
	State string `json:"state"`
}

// serveState answers as soon as the state is not the one that the browser has
// seen, or when the long poll's time is over.
func (g *Gate) serveState(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	if r.ContentLength != 0 {
		return errBadRequest // one that never comes would be waited for
	}
	a, err := g.askedBy(r)
	if err != nil {
		return err
	}
	if a.open() == nil && a.word() == q.Get("seen") {
		if a, err = g.await(w, r, a, q.Get("seen")); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, stateAnswer{a.word()})
	return nil
}

// await returns the login when its state is no longer the one seen, when it
// expires, when the long poll's time is over, or when the gate is closed.
func (g *Gate) await(w http.ResponseWriter, r *http.Request, a *attempt, seen string) (*attempt, error) {
	ctx, leave, err := g.waiting.enter(r.Context(), a.ID, g.networks(r)[0])
	if err != nil {
		return a, err
	}
	defer leave()
	// The server's own time limits are for requests that have something to do.
	// That on writing can't outlive this request unless the server sets none, so
	// it is taken away and not moved: the server would not take it back.
	until := time.Now().Add(longPoll)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(until.Add(readGrace)) // not every writer can
	_ = control.SetWriteDeadline(time.Time{})
	if a.Expires.Before(until) {
		until = a.Expires
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for err == nil && a.word() == seen {
		last := a
		if a, err = g.logins.wait(ctx, last); ctx.Err() != nil {
			return last, nil
		}
	}
	return a, err
}
