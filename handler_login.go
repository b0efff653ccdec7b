package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// longPoll is how long the initiator waits for news in one request, unless it asks for
// less.
const longPoll = 25 * time.Second

// readGrace is how long after a long poll the connection's next request may take to
// begin if the server has no limit of its own.
const readGrace = 10 * time.Second

// serveLogin begins a login for a browser that opens the login page.
func (g *Gate) serveLogin(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	returnTo := g.urls.pageReturnTo(q.Get("return_to"))
	user, session, err := g.auth.currentUser(r)
	// A minute less than freshTime: with another clock, the process of the next request
	// could find this login too old and redirect back here.
	if err == nil && asksFresh(q) && !session.youngerThan(freshTime-clockSkew) {
		return g.offerLogin(w, r, freshRequest(user, returnTo), q)
	}
	switch err := g.auth.checkPhone(user, err); {
	case err == nil:
		seeOther(w, returnTo)
		return nil
	case errors.Is(err, ErrPhoneRequired):
		seeOther(w, g.urls.returning("phone", returnTo))
		return nil
	case !errors.Is(err, ErrLoginRequired):
		return err
	}
	if err := g.auth.requireKept(w, r); err != nil {
		return retryError{err, g.urls.returning("login", returnTo)}
	}
	return g.offerLogin(w, r, login.Request{ReturnTo: returnTo}, q)
}

// serveStartLogin begins a login for a single-page application.
func (g *Gate) serveStartLogin(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	returnTo, err := g.urls.returnTo(posted.Get("return_to"))
	if err != nil {
		return err
	}
	if asksFresh(posted) {
		user, _, err := g.auth.currentUser(r)
		if err == nil {
			return g.offerLoginJSON(w, r, freshRequest(user, returnTo), posted)
		}
		if !errors.Is(err, ErrLoginRequired) {
			return err
		}
	}
	if err := g.auth.requireKept(w, r); err != nil {
		return err
	}
	return g.offerLoginJSON(w, r, login.Request{ReturnTo: returnTo}, posted)
}

// asksFresh reports whether the query or the posted fields ask for a fresh login.
func asksFresh(asked url.Values) bool {
	fresh := asked.Get("fresh")
	return fresh == "1" || fresh == "true"
}

// freshRequest returns the request for a login that only that user can complete.
func freshRequest(user User, returnTo string) login.Request {
	return login.Request{
		ReturnTo: returnTo, Fresh: true, TargetUserID: user.ID, TargetName: cleanNickname(user.Nickname),
	}
}

// offerLogin starts or resumes a login, in the way that the query asks for, and shows the
// browser what to do next.
func (g *Gate) offerLogin(w http.ResponseWriter, r *http.Request, request login.Request, q url.Values) error {
	request.Way = login.Way(g.accounts.asked(q.Get(withParam)))
	key := g.cookies.ensure(w, r)
	l, err := g.startOrResume(w, r, key, request)
	if err != nil {
		return retryError{err, g.urls.start(request)}
	}
	switch {
	case l.Kind() == login.SameDevice:
		seeOther(w, g.accounts.authorizeURL(g.urls.callback(), l, key, login.ScopeBase))
	case l.State() == login.StateApproved:
		return g.renderFinish(w, r, l)
	default:
		g.renderLogin(w, r, l)
	}
	return nil
}

// offerLoginJSON is offerLogin for scripts.
func (g *Gate) offerLoginJSON(w http.ResponseWriter, r *http.Request, request login.Request, posted url.Values) error {
	way := g.accounts.asked(posted.Get(withParam))
	request.Way = login.Way(way)
	if to := g.urls.elsewhere(r, request); to != "" && g.accounts.chooseFlow(r, way).kind == login.SameDevice {
		writeJSON(w, http.StatusOK, map[string]string{"redirect_url": to}) // the login begins there
		return nil
	}
	key := g.cookies.ensure(w, r)
	l, err := g.startOrResume(w, r, key, request)
	if err != nil {
		return err
	}
	if l.Kind() == login.SameDevice {
		writeJSON(w, http.StatusCreated, map[string]string{"redirect_url": g.accounts.authorizeURL(g.urls.callback(), l, key, login.ScopeBase)})
		return nil
	}
	writeJSON(w, http.StatusCreated, g.scanLogin(r, l))
	return nil
}

// renderLogin shows the QR code.
func (g *Gate) renderLogin(w http.ResponseWriter, r *http.Request, l *login.Login) {
	s := g.scanLogin(r, l)
	g.respond.render(w, r, http.StatusOK, "login", PageData{
		Purpose: string(l.Purpose()), State: string(l.PublicState()), OnPhone: isHandheld(r),
		ScanURL: s.ScanURL, QRURL: s.QRURL, StateURL: s.StateURL, RenewURL: s.RenewURL, LoginURL: g.urls.restart(l),
		RenewIn: secondsUntil(l.RenewAt()), Number: l.Number(), MatchNumber: g.matchesNumber(l), Way: s.Way, Digits: s.Digits,
		Simulated: s.Simulated, ways: s.OtherWays,
	})
}

// startOrResume returns the browser's open login for the request, or a new one. The request
// has the way that the browser asks for, if it does.
func (g *Gate) startOrResume(w http.ResponseWriter, r *http.Request, key login.Key, request login.Request) (*login.Login, error) {
	flow := g.accounts.chooseFlow(r, Way(request.Way))
	request.Kind, request.Way, request.AppID = flow.kind, flow.way, flow.appID
	request.Language = g.respond.language(r).Tag()
	request.Initiator, request.Origin = key.Digest(), g.logins.origin(r)
	firstContact := g.cookies.key(r) != key // a browser whose key is new has no login yet
	slot, err := g.findSlot(r, key, request, firstContact)
	if err != nil {
		return nil, err
	}
	if !firstContact && flow.kind == login.CrossDevice {
		if slot.Login, err = g.orApproved(r, key, request, slot.Login); err != nil {
			return nil, err
		}
	}
	if slot.Login != nil {
		return g.chats.offer(r, slot.Login)
	}
	if err := g.logins.limit(r, "login"); err != nil {
		return nil, err
	}
	l, err := g.logins.Start(r.Context(), slot)
	if err != nil {
		return nil, err
	}
	if firstContact {
		g.cookies.keep(w, r, l.ID(), key)
	}
	g.respond.emit(r, loginEvent(EventStarted, l))
	return g.chats.offer(r, l)
}

// findSlot returns the slot for the request of the browser with that key.
func (g *Gate) findSlot(r *http.Request, key login.Key, request login.Request, firstContact bool) (login.Slot, error) {
	id := key.FirstID()
	switch {
	case firstContact && g.cookies.haveRoom(r):
		return login.FirstSlot(request, id), nil
	case firstContact:
		return login.NewSlot(request), nil
	case g.cookies.ofLogin(id).key(r) == key:
		return g.logins.FindFirst(r.Context(), request, id)
	}
	return g.logins.FindSlot(r.Context(), request)
}

// orApproved returns the browser's login that was found or, unless it is approved, an approved
// one of the same request that another tab has begun. Tabs that a browser without cookies
// opens at once begin logins by keys of their own, and the last key is the browser's present
// one. A login that waits does not take the place of the found one: another browser may have
// planted its cookie, and the person would approve that browser's login.
func (g *Gate) orApproved(r *http.Request, present login.Key, request login.Request, found *login.Login) (*login.Login, error) {
	if found != nil {
		if found.State() == login.StateApproved {
			return found, nil
		}
		// It may be the browser's first login. The renewed login of another tab is in the slot.
		slot, err := g.logins.FindSlot(r.Context(), request)
		if err != nil || slot.Login != nil && slot.Login.State() == login.StateApproved {
			return slot.Login, err
		}
	}
	for _, cookie := range g.cookies.ofLogins(r) {
		key := cookie.key(r)
		if key == "" || key == present {
			continue
		}
		request.Initiator = key.Digest()
		slot, err := g.logins.FindFirst(r.Context(), request, key.FirstID())
		if err != nil {
			return nil, err
		}
		if l := slot.Login; l != nil && l.State() == login.StateApproved {
			return l, nil
		}
	}
	return found, nil
}

// serveRenew ends the login and begins a new one in its place.
func (g *Gate) serveRenew(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if err := g.logins.limit(r, "login"); err != nil {
		return err
	}
	// The browser may have l's key in the cookie of that login only, which is of no use for
	// another ID.
	key := g.cookies.ensure(w, r)
	slot, err := g.logins.Renew(r.Context(), l, key)
	if err != nil {
		return err
	}
	renewed, err := g.logins.Start(r.Context(), slot)
	if err != nil {
		return err
	}
	if g.cookies.key(r) != key { // another tab may get a new key at the same time
		g.cookies.keep(w, r, renewed.ID(), key)
	}
	g.respond.emit(r, loginEvent(EventStarted, renewed))
	if renewed, err = g.chats.offer(r, renewed); err != nil {
		return err
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, g.scanLogin(r, renewed))
		return nil
	}
	seeOther(w, g.urls.restart(renewed))
	return nil
}

// scanLogin is a cross-device login as a single-page application receives it.
type scanLogin struct {
	ID          string    `json:"id"`
	ScanURL     string    `json:"scan_url"`
	QRURL       string    `json:"qr_url"`
	StateURL    string    `json:"state_url"`
	AccountURL  string    `json:"account_url"`
	FinishURL   string    `json:"finish_url"`
	RenewURL    string    `json:"renew_url"`
	MatchNumber int       `json:"match_number"`
	Way         string    `json:"way,omitempty"` // empty for the web
	Digits      string    `json:"digits,omitempty"`
	Simulated   bool      `json:"simulated,omitempty"` // a click on the account's code may open it
	ExpiresAt   time.Time `json:"expires_at"`
	ExpiresIn   int       `json:"expires_in"` // in seconds, for browsers whose clock is wrong
	OtherWays   []wayURL  `json:"other_ways,omitempty"`
}

func (g *Gate) scanLogin(r *http.Request, l *login.Login) scanLogin {
	s := scanLogin{
		ID:          l.ID(),
		ScanURL:     g.codeText(l),
		Digits:      l.Digits(),
		QRURL:       g.urls.path("login", l.ID(), "qr.svg"),
		StateURL:    g.urls.path("login", l.ID(), "state"),
		AccountURL:  g.urls.path("login", l.ID(), "account"),
		FinishURL:   g.urls.path("login", l.ID(), "finish"),
		RenewURL:    g.urls.path("login", l.ID(), "renew"),
		MatchNumber: l.Number(),
		ExpiresAt:   l.Expires().UTC(),
		OtherWays:   g.otherWays(r, l),
	}
	if l.Way() != login.WayWeb { // the page has other words then
		s.Way = string(l.Way())
		s.Simulated = g.config.WeChat.Endpoint.Open != "" && strings.HasPrefix(s.ScanURL, g.config.WeChat.Endpoint.Open+"/")
	}
	if g.pictures.shown(l) {
		s.QRURL = g.urls.path("login", l.ID(), "qr.png")
	}
	if !l.Identified() {
		s.ExpiresAt = l.RenewAt().UTC()
	}
	s.ExpiresIn = secondsUntil(s.ExpiresAt)
	if s.ScanURL == "" {
		s.QRURL = "" // digits alone
	}
	return s
}

// otherWays returns the ways that the browser of a login can take instead.
func (g *Gate) otherWays(r *http.Request, l *login.Login) []wayURL {
	var others []wayURL
	for _, way := range g.accounts.ways {
		scanned := way == WayFollow || way == WayMini
		if way == wayOf(l) || scanned && isHandheld(r) {
			continue // a phone cannot scan its own screen
		}
		others = append(others, wayURL{way, g.urls.by(l, way)})
	}
	return others
}

// publicState is all that the initiator learns while it waits.
type publicState struct {
	State login.PublicState `json:"state"`
}

// serveState answers when the public state differs from the one that the browser has
// seen, or when the long poll is over.
func (g *Gate) serveState(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	if r.ContentLength != 0 {
		return badRequest("the request has a body") // net/http would wait for a body that never arrives
	}
	limit, err := pollLimit(q.Get("wait"))
	if err != nil {
		return err
	}
	seen := login.PublicState(q.Get("seen"))
	if l.Open() == nil && l.PublicState() == seen {
		if l, err = g.awaitChange(w, r, l, seen, limit); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, publicState{l.PublicState()})
	return nil
}

// pollLimit returns how long a poll may wait: the seconds that the browser asks for, from
// 1 to 25, or 25 without one. A proxy may end longer requests.
func pollLimit(wait string) (time.Duration, error) {
	if wait == "" {
		return longPoll, nil
	}
	seconds, err := strconv.Atoi(wait)
	if err != nil {
		return 0, badRequest("wait is not a whole number of seconds")
	}
	return min(max(time.Duration(seconds), 1), longPoll/time.Second) * time.Second, nil
}

// awaitChange returns the login when its public state is no longer seen, when it
// expires, when the limit of the poll is over, or when the gate is closed.
func (g *Gate) awaitChange(w http.ResponseWriter, r *http.Request, l *login.Login, seen login.PublicState, limit time.Duration) (*login.Login, error) {
	ctx, release, err := g.waiting.acquire(r.Context(), l.ID(), g.limiter.networks(r))
	if err != nil {
		return l, err
	}
	defer release()
	until := time.Now().Add(limit)
	extendDeadlines(w, until.Add(readGrace))
	if l.Expires().Before(until) {
		until = l.Expires()
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for err == nil && l.PublicState() == seen {
		last := l
		if l, err = g.logins.Wait(ctx, last); ctx.Err() != nil {
			return last, nil
		}
	}
	return l, err
}

// serveAsset serves a style or a script, whose name changes with its content.
func (g *Gate) serveAsset(w http.ResponseWriter, r *http.Request) error {
	a, ok := g.respond.pages.Asset(r.PathValue("name"))
	if !ok {
		return login.ErrUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", a.ContentType)
	_, _ = w.Write(a.Body)
	return nil
}
