package scangate

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/scangate/scangate/internal/login"
)

// serveTerms asks a new person to agree to the terms.
func (g *Gate) serveTerms(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	return g.termsPage(w, r, l, nil)
}

// termsPage shows the documents and the box. After a post without it, it shows the reason.
func (g *Gate) termsPage(w http.ResponseWriter, r *http.Request, l *login.Login, wrong error) error {
	p := g.logins.formPage(r, l)
	p.Agreement = g.registrar.terms
	return g.respond.renderForm(w, r, "terms", p, wrong)
}

// serveAgree notes that the person agrees.
func (g *Gate) serveAgree(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	if posted.Get("agree") != g.registrar.terms {
		return g.termsPage(w, r, l, errTermsRequired)
	}
	l, err := g.agree(r, l)
	if err != nil {
		return g.logins.withRetry(r, l, err)
	}
	return g.advance(w, r, l)
}

// agree notes that the person agrees to the terms. For a new person, the event follows when
// they are a user.
func (g *Gate) agree(r *http.Request, l *login.Login) (*login.Login, error) {
	l, err := g.logins.Agree(r.Context(), l, g.registrar.terms)
	switch {
	case errors.Is(err, login.ErrRepeated):
		return l, nil
	case err == nil && l.Person().UserID != "":
		g.respond.emitAgreed(r, l)
	}
	return l, err
}
