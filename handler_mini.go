package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/phone"
)

// The limits of a mini program's requests to WeChat.
const (
	miniTime    = 8 * time.Second // for one call
	maxMiniCode = 256             // bytes of a code; WeChat's have about 32 for a login, and 64 for a number
)

// The steps of a mini program that are not pages.
const (
	stepCode step = "code" // a one-time code was sent to the number
	stepDone step = "done"
)

// miniAnswer is a login as a mini program receives it. The first answer has the origin.
type miniAnswer struct {
	ID    string `json:"id,omitempty"` // of a login of the mini program's own
	Token string `json:"token,omitempty"`
	Step  step   `json:"step"`
	*miniOrigin
	*miniSession
	State       login.PublicState `json:"state,omitempty"`  // at the step done
	Number      int               `json:"number,omitempty"` // absent if the person has to type it
	Purpose     string            `json:"purpose,omitempty"`
	TargetName  string            `json:"target_name,omitempty"`
	Agreement   string            `json:"agreement,omitempty"` // the value of agree, after the person has read Terms
	Terms       []miniLink        `json:"terms,omitempty"`     // the documents to read
	RegisterURL string            `json:"register_url,omitempty"`
	Phone       string            `json:"phone,omitempty"`     // masked
	ResendIn    int               `json:"resend_in,omitempty"` // seconds
}

// miniOrigin describes the browser that would be logged in.
type miniOrigin struct {
	App     string `json:"app"`
	Browser string `json:"browser"`
	System  string `json:"system"`
	Place   string `json:"place"` // the address if there is no place
}

// miniSession is a session of the mini program's own, and the name of its cookie.
type miniSession struct {
	Session   string    `json:"session"`
	Cookie    string    `json:"cookie"`
	ExpiresAt time.Time `json:"expires_at"`
}

// miniLink is a document that the person has to agree to.
type miniLink struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// withoutBrowser returns the request without cookies, and without the session that an outer
// LoadAndSave has loaded. The rights of a mini program depend on its code or its token alone.
func (g *Gate) withoutBrowser(r *http.Request) *http.Request {
	r = r.Clone(g.auth.sessions.manager.Hide(r.Context()))
	r.Header.Del("Cookie")
	return r
}

// withToken returns the request as a browser with that key would send it.
func (g *Gate) withToken(r *http.Request, token login.Key) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	if login.ValidID(string(token)) {
		r.AddCookie(g.cookies.cookie(encodeKeys(browserKey{token, time.Now()}), browserKeyTTL))
	}
	return r
}

// postedCode returns the code of WeChat's in the field.
func postedCode(posted url.Values, field string) (string, error) {
	code := posted.Get(field)
	if code == "" || len(code) > maxMiniCode || strings.ContainsFunc(code, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", badRequest(field + " is not a code of WeChat's")
	}
	return code, nil
}

// serveEnterMini lets the mini program that has scanned the login's code prove an identity.
// It returns the token of the mini program's next requests. A fresh code of the same person
// gets another one, and the earlier one is of no use any more.
func (g *Gate) serveEnterMini(w http.ResponseWriter, r *http.Request, posted url.Values) error {
	code, err := postedCode(posted, "code")
	if err != nil {
		return err
	}
	l, err := g.logins.load(r)
	if err != nil {
		return err
	}
	if l.Kind() != login.CrossDevice || l.Way() != login.WayMini {
		return g.logins.unknown(r) // it takes the codes of another account
	}
	key := l.MiniKey(code)
	if !l.AuthorizedBy(key) { // otherwise the request is a repeated one
		extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat may take its time
		if l, err = g.enterMini(r, l, key, code); err != nil {
			return err
		}
	}
	a, err := g.miniAnswer(g.withToken(r, key), l)
	if err != nil {
		return err
	}
	a.Token, a.miniOrigin = string(key), g.miniOrigin(r.Context(), l)
	writeJSON(w, http.StatusOK, a)
	return nil
}

// enterMini exchanges the code. The login may have an authorizer already: the same person
// has opened the mini program again, or the login is taken.
func (g *Gate) enterMini(r *http.Request, l *login.Login, key login.Key, code string) (*login.Login, error) {
	if err := l.Open(); err != nil {
		return l, err
	}
	if err := g.logins.limit(r, "callback"); err != nil {
		return l, err
	}
	if !l.Identified() {
		if err := g.markScanned(r, l); err != nil {
			return l, err
		}
		entered, err := g.exchangeMini(r, l, key, code)
		if !errors.Is(err, login.ErrInUse) || !entered.Identified() {
			return entered, err
		}
		l = entered // another mini program was faster
	}
	ctx, cancel := context.WithTimeout(r.Context(), miniTime)
	defer cancel()
	identity, err := g.registrar.miniIdentity(ctx, code)
	if err != nil {
		return l, err
	}
	l, err = g.logins.EnterAgain(r.Context(), l, identity, key)
	if errors.Is(err, login.ErrRepeated) {
		err = nil
	}
	return l, err
}

// exchangeMini exchanges the code for the authorizer's identity, once.
func (g *Gate) exchangeMini(r *http.Request, l *login.Login, key login.Key, code string) (*login.Login, error) {
	trip := login.Trip{ID: l.ID(), Kind: l.Kind(), Scope: login.ScopeBase}
	return g.exchangeBy(r, l, trip, key, code, func(ctx context.Context, l *login.Login) (login.Person, error) {
		return g.registrar.identifyMini(ctx, l, code)
	})
}

// miniOrigin describes the browser that would be logged in.
func (g *Gate) miniOrigin(ctx context.Context, l *login.Login) *miniOrigin {
	from := l.Origin()
	o := &miniOrigin{App: g.config.AppName, Browser: from.Browser, System: from.System, Place: g.locator.place(ctx, from.Address)}
	setDefault(&o.Place, from.Address)
	return o
}

// miniStep returns the mini program's next step, or why the person cannot go on.
func (g *Gate) miniStep(r *http.Request, l *login.Login) (step, error) {
	switch l.State() {
	case login.StateApproved, login.StateFinished, login.StateDenied:
		if l.NeedsConsent() {
			return stepDone, nil
		}
	}
	if err := l.Open(); err != nil && !errors.Is(err, login.ErrFinished) {
		return "", err
	}
	if l.Person().Refusal == refusalDisabled {
		return "", errDisabled
	}
	next := g.registrar.nextStep(l)
	var err error
	switch next {
	case stepOther:
		_, err = g.logins.refuse(r.Context(), l, errOtherUser)
	case stepRegister:
		if g.config.Registration.URL == "" {
			_, err = g.logins.refuse(r.Context(), l, errNotRegistered)
		}
	case stepPhone:
		if _, _, pending := l.PendingCode(); pending {
			next = stepCode
		}
	case stepFinish:
		next = stepDone
	}
	return next, err
}

// miniAnswer returns the login's next step, with the data that the mini program needs there.
func (g *Gate) miniAnswer(r *http.Request, l *login.Login) (miniAnswer, error) {
	next, err := g.miniStep(r, l)
	a := miniAnswer{Step: next}
	if err != nil {
		return a, err
	}
	if l.Kind() == login.CrossDevice {
		a.Purpose = string(l.Purpose())
		_, a.TargetName = l.Target()
		if !g.matchesNumber(l) {
			a.Number = l.Number()
		}
	}
	if next == stepTerms || next == stepConfirm && g.asksTerms(l) {
		a.Agreement = g.registrar.terms
		shown := PageData{}.forTemplate(g.respond.pages, g.respond.language(r), "confirm")
		for _, document := range shown.Terms() {
			a.Terms = append(a.Terms, miniLink{document.Text, g.miniURL(document.URL)})
		}
	}
	switch next {
	case stepDone:
		a.State = l.PublicState()
	case stepRegister:
		a.RegisterURL = g.miniURL(withQuery(g.config.Registration.URL, url.Values{"login": {l.ID()}}))
	case stepCode:
		number, sent := l.Code()
		a.Phone, a.ResendIn = phone.Mask(number), secondsUntil(sent.Add(codeGap))
	}
	return a, nil
}

// miniURL returns a link of the pages as a complete URL.
func (g *Gate) miniURL(link string) string {
	if strings.HasPrefix(link, "/") {
		return g.urls.public.String() + link
	}
	return link
}

// answerMini answers with the next step. A login of the mini program's own ends with its
// session.
func (g *Gate) answerMini(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	a, err := g.miniAnswer(r, l)
	if err != nil {
		return err
	}
	if a.Step == stepDone && !l.NeedsConsent() {
		if a.miniSession, err = g.finishMini(w, r, l); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

// serveMiniAnswer takes the person's decision, and their agreement to the terms.
func (g *Gate) serveMiniAnswer(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	answer := posted.Get("answer")
	if answer != "approve" && answer != "deny" {
		return badRequest("answer is neither \"approve\" nor \"deny\"")
	}
	if answer == "deny" {
		return g.recordMini(w, r, l, EventDenied)
	}
	l, err := g.registeredMini(r, l)
	if err != nil {
		return err
	}
	at, err := g.miniStep(r, l)
	if err != nil {
		return err
	}
	asks := at == stepTerms || at == stepConfirm && g.asksTerms(l)
	if asks && posted.Get("agree") != g.registrar.terms {
		return errTermsRequired // before the number is compared, see serveDecision
	}
	switch {
	case at == stepTerms:
		if l, err = g.agree(r, l); err != nil {
			return err
		}
		return g.answerMini(w, r, l)
	case at != stepConfirm && (at != stepDone || !l.NeedsConsent()):
		return g.answerMini(w, r, l)
	}
	decision, err := g.parseDecision(l, posted)
	if err != nil {
		return err
	}
	if decision == EventApproved && l.State() == login.StateIdentified {
		if l, err = g.prepareApproval(r, l); err != nil {
			return err
		}
	}
	return g.recordMini(w, r, l, decision)
}

// registeredMini notes a person whom the application has registered meanwhile.
func (g *Gate) registeredMini(r *http.Request, l *login.Login) (*login.Login, error) {
	if g.registrar.nextStep(l) != stepRegister || l.Open() != nil {
		return l, nil
	}
	recognized, err := g.recognize(r, l)
	if errors.Is(err, errNotRegistered) {
		return l, nil // the next step stays stepRegister
	}
	return recognized, err
}

// recordMini stores the person's decision, and answers that the login is done.
func (g *Gate) recordMini(w http.ResponseWriter, r *http.Request, l *login.Login, decision EventName) error {
	l, err := g.storeDecision(r, l, decision)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, miniAnswer{Step: stepDone, State: l.PublicState()})
	return nil
}

// serveMiniLogin logs the mini program itself in. If the person has more to do, the answer
// has the token and the next step instead of the session.
func (g *Gate) serveMiniLogin(w http.ResponseWriter, r *http.Request, posted url.Values) error {
	code, err := postedCode(posted, "code")
	if err != nil {
		return err
	}
	if err := g.logins.limit(r, "login"); err != nil {
		return err
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat and Config.OnLogin may take their time
	l, key, err := g.logins.BeginMini(r.Context(), login.Request{
		AppID: g.accounts.mini.AppID(), Language: g.respond.language(r).Tag(), ReturnTo: "/", Origin: g.logins.origin(r),
	}, code)
	if err != nil {
		return err
	}
	if l.State() == login.StateWaiting {
		g.respond.emit(r, loginEvent(EventStarted, l))
	}
	if !l.Identified() {
		if l, err = g.exchangeMini(r, l, key, code); err != nil {
			return err
		}
	}
	r = g.withToken(r, key)
	next, err := g.miniStep(r, l)
	if err != nil {
		return err
	}
	if next == stepDone {
		session, err := g.finishMini(w, r, l)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, session)
		return nil
	}
	a, err := g.miniAnswer(r, l)
	if err != nil {
		return err
	}
	a.ID, a.Token = l.ID(), string(key)
	writeJSON(w, http.StatusOK, a)
	return nil
}

// finishMini ends a login of the mini program's own with a session. The mini program sends
// the session's cookie by itself, and no browser gets one.
func (g *Gate) finishMini(w http.ResponseWriter, r *http.Request, l *login.Login) (*miniSession, error) {
	kept := &cookieKeeper{ResponseWriter: w, header: make(http.Header)}
	l, err := g.finish(kept, r, l)
	if err != nil {
		return nil, err
	}
	manager := g.auth.sessions.manager
	for _, c := range (&http.Response{Header: kept.header}).Cookies() {
		if c.Name == manager.Cookie.Name {
			s := &miniSession{Session: c.Value, Cookie: c.Name, ExpiresAt: c.Expires.UTC()}
			if c.Expires.IsZero() { // the cookie ends with the browser
				s.ExpiresAt = l.Finished().Add(manager.Lifetime).UTC()
			}
			return s, nil
		}
	}
	return nil, errors.New("the session has no cookie")
}

// cookieKeeper is a writer whose header keeps the cookies from the answer.
type cookieKeeper struct {
	http.ResponseWriter
	header http.Header
}

// Header implements [http.ResponseWriter].
func (k *cookieKeeper) Header() http.Header { return k.header }
